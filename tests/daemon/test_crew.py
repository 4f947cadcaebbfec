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
def config(token):
    return HsmConfig(
        name="one", module=token.module, env=token.environment, sessions=1, reserve=256 * 1024
    )


@pytest.fixture
def source(config):
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


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_source_that_has_a_defect_can_be_ended(config, replaced):
    def broken():
        raise RuntimeError("a defect")

    crew = Crew(Planner(), structlog.stdlib.get_logger(), lambda _code: None)
    crew.add_source(Source(config, clock=broken))
    with structlog.testing.capture_logs() as events:
        crew.begin()
        await until(lambda: any(event.get("exc_info") for event in events))
        if replaced:
            crew.remove_source(crew.sources[0], use_up=False)
        async with asyncio.timeout(10):
            await crew.close()
    n_starts = len(events)
    await asyncio.sleep(1.5)
    assert len(events) == n_starts
