"""The feeding half of the bridge in virtual time: the real planner, pusher, sites and gates."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import structlog

from bridge.config import VCenterConfig
from bridge.feed.planner import Planner
from bridge.feed.pusher import Pusher
from bridge.feed.site import Site
from bridge.source.account import Fate
from bridge.source.status import Rate
from tests.support.virtual_vcenter import VirtualClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.virtual_fleet import VirtualSupply
    from tests.support.virtual_vcenter import VirtualVCenter

_TICK_SECONDS = 0.25
_SLOT_BYTES = 12_288
_BYTES_IN_FLIGHT = 64 << 20


class VirtualTake:
    """Bytes of the reserve that one request carries."""

    def __init__(self, reserve: Reserve, n_bytes: int) -> None:
        self.pieces = self  # so that the client knows how many they are
        self.raw_bytes = n_bytes
        self.spent = False
        self._reserve = reserve

    def spend(self) -> None:
        self.spent = True

    def give_back(self) -> None:
        self._reserve.settle(self.raw_bytes, self.raw_bytes)

    def done(self, fate: Fate) -> None:
        self._reserve.fates[fate] += self.raw_bytes
        self._reserve.settle(self.raw_bytes, 0)


class Reserve:
    """What the pusher draws from, and is told of it: a ring that an HSM fills."""

    def __init__(self, hsm: VirtualSupply, clock: Callable[[], float]) -> None:
        self.hsm = hsm
        self.fates = dict.fromkeys(Fate, 0)
        self._clock = clock
        self._rate = Rate()
        self._wake: Callable[[], None] = lambda: None

    @property
    def available_bytes(self) -> int:
        self.hsm.advance(self._clock())
        return int(self.hsm.level) // 3 * 3

    def take(self, n_bytes: int) -> VirtualTake | None:
        n_bytes = min(n_bytes, self.available_bytes) // 3 * 3
        if not n_bytes:
            return None
        self.hsm.level -= n_bytes
        self.hsm.held += n_bytes
        return VirtualTake(self, n_bytes)

    def settle(self, n_bytes: int, n_back: int) -> None:
        self.hsm.advance(self._clock())
        self.hsm.held -= n_bytes
        self.hsm.level += n_back
        self._wake()

    def on_data(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._wake = callback
        return lambda: None

    def capacity_bytes(self) -> int:
        return self.hsm.capacity

    def most_bytes(self) -> int:
        return self.hsm.capacity

    def rate_bytes_per_second(self) -> float:
        return self._rate.bytes_per_second

    async def run(self) -> None:
        """Publish, and find out how fast that goes, as a supervisor does."""
        made = 0.0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            full = self.available_bytes + self.hsm.held >= self.hsm.capacity - _SLOT_BYTES
            self._rate.sample(int(self.hsm.made - made), _TICK_SECONDS, full=full)
            if self.hsm.made > made:
                self._wake()
            made = self.hsm.made


class VirtualBridge:
    """Planner, pusher and sites over vCenters and a reserve."""

    def __init__(self, vcenters: Sequence[VirtualVCenter], hsm: VirtualSupply, seed: int) -> None:
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        dice = random.Random(seed)
        self.planner = Planner(phase=dice.random())
        self.reserve = Reserve(hsm, self.clock)
        self.sites: dict[str, Site] = {}
        for it in vcenters:
            config = VCenterConfig.model_validate(
                {
                    "name": it.name,
                    "url": "https://vc.example",
                    "username": "u",
                    "password_file": "/dev/null",
                    **it.settings,
                }
            )
            client = VirtualClient(
                it.cases,
                it.troubles,
                it.way,
                dice,
                timeout_seconds=config.request_timeout_seconds,
                throttler=it.throttler,
            )
            self.sites[it.name] = Site(
                config,
                client,
                self.planner,
                clock=self.clock,
                add_seconds=lambda _: None,
                log=structlog.stdlib.get_logger(),
                wake=self._wake,
            )
            self.planner.limit(it.name, self.sites[it.name].max_add_bytes)
            self.planner.cap(it.name, config.max_bytes_per_second)
        self.pusher = Pusher(
            self.planner,
            self.reserve,
            self.reserve,
            self.sites,
            clock=self.clock,
            bytes_in_flight=_BYTES_IN_FLIGHT,
        )

    def _wake(self) -> None:
        self.pusher.wake()

    async def run(self, watch: Callable[[float], None], seconds: float) -> None:
        """Feed for so long, and let somebody watch every second."""
        tasks = [asyncio.create_task(site.run()) for site in self.sites.values()]
        tasks += [asyncio.create_task(it.run()) for it in (self.reserve, self.pusher)]
        try:
            while self.clock() < seconds:
                await asyncio.sleep(1.0)
                for task in tasks:
                    if task.done():
                        task.result()
                watch(self.clock())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
