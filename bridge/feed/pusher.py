"""Carries out what the planner decides: looks at hosts and streams ring slots into them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from bridge.feed.alarm import Alarm
from bridge.feed.decision import Idle, Look
from bridge.feed.policy import Stock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.feed.decision import HostKey
    from bridge.feed.planner import Planner
    from bridge.feed.site import Site
    from bridge.source.supply import Supplier
    from bridge.source.take import Take

_HEARTBEAT_SECONDS = 1.0
_DRAIN_SECONDS = 5.0
_SOON_SECONDS = 0.05
# What happens while the loop rests is looked at together. Meanwhile the sources go on, and must
# not come to stand still for want of space.
_REST_SECONDS = 0.004
_REST_SHARE_OF_CAPACITY = 1.0 / 3.0


class Shape(Protocol):
    """What the pusher asks of the sources beside their bytes."""

    def capacity_bytes(self) -> int:
        """Raw bytes that all rings hold when they are full."""

    def most_bytes(self) -> int:
        """Raw bytes that can be had at once, however long one waits."""

    def rate_bytes_per_second(self) -> float:
        """Raw bytes that all sources add while there is space."""


class Pusher:
    """One loop that asks the planner, with rests in between, and one task per request that runs.

    `clock` is `time.monotonic`, or a test's. `alive` is called on every turn of the loop, so that
    a watchdog sees real progress. `bytes_in_flight` bounds the raw bytes in all requests together,
    and may be changed; `sites` too, but for one that the planner still knows hosts of.
    """

    def __init__(
        self,
        planner: Planner,
        supply: Supplier,
        shape: Shape,
        sites: Mapping[str, Site],
        *,
        clock: Callable[[], float],
        bytes_in_flight: int,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._planner = planner
        self._supply = supply
        self._shape = shape
        self._sites = sites
        self._clock = clock
        self.bytes_in_flight_limit = bytes_in_flight
        self._bytes_in_flight = 0
        self._alive = alive
        self._alarm = Alarm()
        self._visits: set[asyncio.Task[None]] = set()
        self._stopping = False

    def wake(self) -> None:
        """Ask the planner again: bytes arrived, or a host did, or a gate opened."""
        self._alarm.ring()

    def stop(self) -> None:
        """Begin no request any more."""
        self._stopping = True
        self._alarm.ring()

    async def run(self) -> None:
        """Feed for ever; after `stop`, return when no request runs any more (5 s at most)."""
        forget = self._supply.on_data(self.wake)
        try:
            while not self._stopping:
                self._alive()
                await self._sleep(self._begin_visits())
            if self._visits:
                await asyncio.wait(self._visits, timeout=_DRAIN_SECONDS)
        finally:
            forget()
            await asyncio.sleep(0)  # a visit that is cancelled before it began would settle nothing
            for visit in self._visits:
                visit.cancel()
            if self._visits:
                await asyncio.wait(self._visits)

    def _begin_visits(self) -> float | None:
        """Begin all that the planner wants now; answer when to ask it again at the latest."""
        now, stock = self._clock(), self._stock()
        open_sites = {name for name, site in self._sites.items() if site.is_open(now)}
        for name in open_sites:
            self._planner.places(name, self._sites[name].gate.limit)
        while True:
            decision = self._planner.decide(now, stock, open_sites)
            if isinstance(decision, Idle):
                return self._earliest(decision.until, open_sites)
            if isinstance(decision, Look):
                take = None
            elif (take := self._supply.take(decision.n_bytes)) is not None:
                stock = stock.after(take.raw_bytes)
            else:
                return now + _SOON_SECONDS  # a purge came between the two
            self._start(decision.key, take, now)
            if not self._sites[decision.key[0]].is_open(now):
                open_sites.remove(decision.key[0])

    def _stock(self) -> Stock:
        room = max(0, self.bytes_in_flight_limit - self._bytes_in_flight)
        return Stock(
            available_bytes=min(room, self._supply.available_bytes),
            capacity_bytes=self._shape.capacity_bytes(),
            most_bytes=min(self.bytes_in_flight_limit, self._shape.most_bytes()),
            rate_bytes_per_second=self._shape.rate_bytes_per_second(),
        )

    def _earliest(self, until: float | None, open_sites: set[str]) -> float | None:
        """Add the end of every pause to the time; a full gate wakes the loop by itself."""
        times = [] if until is None else [until]
        for name, site in self._sites.items():
            if name not in open_sites and (opens_at := site.opens_at()) is not None:
                times.append(opens_at)
        return min(times, default=None)

    def _start(self, key: HostKey, take: Take | None, now: float) -> None:
        site = self._sites[key[0]]
        n_bytes = 0 if take is None else take.raw_bytes
        self._planner.begun(key, n_bytes, now)
        self._bytes_in_flight += n_bytes
        visit = asyncio.create_task(site.look(key) if take is None else site.feed(key, take))
        self._visits.add(visit)

        def ended(visit: asyncio.Task[None]) -> None:
            self._visits.discard(visit)
            self._bytes_in_flight -= n_bytes
            self._alarm.ring()
            if not visit.cancelled():
                visit.result()

        visit.add_done_callback(ended)

    async def _sleep(self, until: float | None) -> None:
        seconds = _HEARTBEAT_SECONDS if until is None else until - self._clock()
        await self._alarm.sleep(self._rest_seconds(), min(_HEARTBEAT_SECONDS, seconds))

    def _rest_seconds(self) -> float:
        rate = self._shape.rate_bytes_per_second()
        if rate <= 0.0:
            return _REST_SECONDS
        return min(_REST_SECONDS, _REST_SHARE_OF_CAPACITY * self._shape.capacity_bytes() / rate)
