"""What the planner is told of sources of which one is down."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest

from bridge.config import HsmConfig
from bridge.daemon.shape import Shape
from bridge.feed.policy import Stock
from bridge.source.account import Fate
from bridge.source.supervisor import Source
from bridge.source.supply import Supplies
from tests.support.testtoken import Mode

DEADLINE_SECONDS = 20
RING_BYTES = 256 * 1024


async def until(condition):
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


@pytest.fixture
async def sources(tokens):
    sources = [
        Source(
            HsmConfig(
                name=token.state_path.name,
                module=token.module,
                env=token.environment,
                sessions=1,
                reserve=RING_BYTES,
            )
        )
        for token in tokens
    ]
    tasks = [asyncio.create_task(source.run()) for source in sources]
    yield sources
    for source, task in zip(sources, tasks, strict=True):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        source.close()


async def test_what_a_source_that_is_down_has_left_is_all_that_its_ring_holds(sources, tokens):
    shape, supplies = Shape(sources), Supplies([source.supply for source in sources])

    def is_nearly_full():
        rate = shape.rate_bytes_per_second()
        stock = Stock(
            supplies.available_bytes, shape.capacity_bytes(), rate, most_bytes=shape.most_bytes()
        )
        return stock.nearly_full(0)

    one, two = sources
    await until(lambda: all(source.is_running for source in sources) and is_nearly_full())
    assert shape.capacity_bytes() == one.capacity_bytes + two.capacity_bytes

    tokens[1].behave(Mode.ABSENT)
    os.kill(two.status().pid, signal.SIGKILL)
    await until(lambda: not two.is_running)
    left = two.supply.available_bytes
    assert left > RING_BYTES // 2
    assert shape.capacity_bytes() == shape.most_bytes() == one.capacity_bytes + left
    assert is_nearly_full()

    while (take := two.supply.take(left)) is not None:
        take.spend()
        take.done(Fate.DELIVERED)
    assert shape.capacity_bytes() == shape.most_bytes() == one.capacity_bytes
    await until(lambda: one.supply.available_bytes > one.capacity_bytes * 3 // 4)
    assert is_nearly_full()


async def test_while_none_runs_all_rings_count(sources):
    for source in sources:
        await source.stop()
    assert Shape(sources).capacity_bytes() == 2 * sources[0].capacity_bytes >= RING_BYTES
