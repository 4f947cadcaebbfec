"""Sources that go: nothing of theirs is lost that could still go out."""

import asyncio
import time

import pytest
import structlog

from bridge.config import HsmConfig
from bridge.daemon.crew import Crew
from bridge.feed.planner import Planner
from bridge.source.account import Fate
from bridge.source.supervisor import Source

DEADLINE_SECONDS = 20


@pytest.fixture
def source(token):
    config = HsmConfig(
        name="one", module=token.module, env=token.environment, sessions=1, reserve=256 * 1024
    )
    return Source(config)


async def until(condition):
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


def deliver_all(crew):
    while (take := crew.supply.take(1 << 20)) is not None:
        take.spend()
        take.done(Fate.DELIVERED)


async def test_what_comes_back_late_is_used_up_as_well(source):
    crew = Crew(Planner(), structlog.stdlib.get_logger(), lambda _code: None)
    crew.add_source(source)
    crew.begin()
    await until(lambda: crew.supply.available_bytes > 100_000)
    take = crew.supply.take(90_000)  # for a vCenter that nobody can connect to
    crew.remove_source(source, use_up=True)
    await until(lambda: source.status().pid is None)
    deliver_all(crew)
    await asyncio.sleep(0.5)
    take.give_back()
    deliver_all(crew)
    await until(lambda: source.supply.held_slots == 0)
    account = source.supply.account()
    assert account.closes
    assert account.purged == 0
    assert account.delivered == account.published > 100_000
    await crew.close()
