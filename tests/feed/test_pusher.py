"""The loop that begins requests: never more than the gates allow, and a clean end."""

import asyncio
import time

import pytest

from bridge.feed.concurrency import Gate
from bridge.feed.planner import Planner
from bridge.feed.pusher import Pusher


class Supply:
    """No bytes at all: only looks are possible."""

    available_bytes = 0

    def on_data(self, callback):
        return lambda: None

    def take(self, n_bytes):
        return None


class Shape:
    def capacity_bytes(self):
        return 1 << 20

    def most_bytes(self):
        return 1 << 20

    def rate_bytes_per_second(self):
        return 0.0


class SlowSite:
    """Answers no look until it is told to; counts what runs at the same time."""

    def __init__(self, planner, ceiling):
        self.gate = Gate(ceiling)
        self.answer = asyncio.Event()
        self.most = 0
        self.n_looks = 0
        self._planner = planner
        self._running = 0

    def is_open(self, now):
        return self.gate.is_open(now)

    def opens_at(self):
        return self.gate.opens_at()

    def look(self, key):
        self.gate.begun()
        return self._look(key)

    async def _look(self, key):
        self._running += 1
        self.n_looks += 1
        self.most = max(self.most, self._running)
        try:
            await self.answer.wait()
        finally:
            self._running -= 1
            self._planner.absent(key, "unavailable", time.monotonic())
            self.gate.in_flight -= 1


@pytest.fixture
def planner():
    planner = Planner()
    for number in range(100):
        planner.add_host(("site", f"host-{number}"), time.monotonic())
    return planner


def make(planner, site, **settings):
    return Pusher(
        planner,
        Supply(),
        Shape(),
        {"site": site},
        clock=time.monotonic,
        bytes_in_flight=1 << 20,
        **settings,
    )


async def test_keeps_to_the_gate_from_the_first_moment(planner):
    site = SlowSite(planner, 5)
    pusher = make(planner, site)
    running = asyncio.create_task(pusher.run())
    await asyncio.sleep(0.2)
    assert site.most == 5
    site.answer.set()
    async with asyncio.timeout(10):
        while site.n_looks < 100:
            await asyncio.sleep(0.01)
    assert site.most == 5
    pusher.stop()
    await asyncio.wait_for(running, 10)


async def test_says_that_it_is_alive_when_there_is_nothing_to_do():
    beats = []
    pusher = make(Planner(), SlowSite(None, 1), alive=lambda: beats.append(1))
    running = asyncio.create_task(pusher.run())
    await asyncio.sleep(2.5)
    assert len(beats) >= 2
    pusher.stop()
    await asyncio.wait_for(running, 10)


async def test_waits_for_requests_that_run_when_it_is_stopped(planner):
    site = SlowSite(planner, 3)
    pusher = make(planner, site)
    running = asyncio.create_task(pusher.run())
    await asyncio.sleep(0.1)
    pusher.stop()
    await asyncio.sleep(0.1)
    assert not running.done()
    site.answer.set()
    await asyncio.wait_for(running, 2)
    assert site.n_looks == 3


async def test_a_defect_leaves_no_host_that_seems_to_be_visited_for_ever():
    class Defective(Planner):
        n_asked = 0

        def decide(self, *words):
            self.n_asked += 1
            if self.n_asked == 2:
                raise RuntimeError("a defect")
            return super().decide(*words)

    planner = Defective()
    planner.add_host(("site", "host-1"), time.monotonic())
    site = SlowSite(planner, 5)
    pusher = make(planner, site)
    with pytest.raises(RuntimeError, match="a defect"):
        await pusher.run()
    assert site.gate.in_flight == 0
    running = asyncio.create_task(pusher.run())
    async with asyncio.timeout(10):
        while site.n_looks < 2:
            await asyncio.sleep(0.01)
    site.answer.set()
    pusher.stop()
    await asyncio.wait_for(running, 10)
