"""Hosts, an HSM and vCenters in virtual time, for whoever decides as the planner does.

Nothing sleeps: a discrete-event loop asks the decider, lets visits take their round trip, and works
out each host's level exactly between events. The decider sees only what a bridge would see.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bridge.feed.decision import Decision, Feed, HostKey, Idle
from bridge.feed.hoststate import Reading
from bridge.feed.policy import Stock

KIB = 1024
Segments = Callable[[], Iterator[tuple[float, float]]]
"""Gives (seconds, bytes per second) again and again, the same every time it is called."""


def steady(bytes_per_second: float) -> Segments:
    return lambda: iter([(math.inf, bytes_per_second)])


class Decider(Protocol):
    """What the planner and those it is compared with have in common."""

    def add_host(self, key: HostKey, now: float) -> None: ...
    def decide(self, now: float, stock: Stock, open_groups: Collection[str]) -> Decision: ...
    def begun(self, key: HostKey, n_bytes: int, now: float) -> None: ...
    def observed(self, key: HostKey, reading: Reading, now: float) -> None: ...


@dataclass(slots=True)
class VirtualHost:
    """One host's pool, drained as its segments say."""

    key: HostKey
    segments: Segments
    level: float
    capacity: int = 512 * KIB
    watermark: int = 104857
    timeout: float = 60.0
    now: float = 0.0
    got: float = 0.0
    discarded: float = 0.0
    used: float = 0.0
    missed: float = 0.0
    """What it would have used had it not been empty."""
    dry_seconds: float = 0.0
    lowest: float = math.inf
    first_low: float = math.inf
    first_tenth: float = math.inf
    first_dry: float = math.inf
    last_low: float = -math.inf
    looked_at: float = 0.0
    longest_unseen: float = 0.0
    _rest: Iterator[tuple[float, float]] = field(init=False)
    _until: float = 0.0
    _rate: float = 0.0

    def __post_init__(self) -> None:
        self._rest = self.segments()
        self.lowest = self.level

    def advance(self, now: float) -> None:
        while self.now < now:
            if self.now >= self._until:
                seconds, self._rate = next(self._rest)
                self._until = self.now + seconds
                continue
            span = min(now, self._until) - self.now
            self._drain(span)
            self.now = min(now, self._until)

    def _drain(self, span: float) -> None:
        before = self.level
        after = before - self._rate * span
        self.first_low = min(self.first_low, self._crossing(before, after, self.watermark))
        self.first_tenth = min(self.first_tenth, self._crossing(before, after, self.capacity / 10))
        if after <= 0.0 < self._rate:
            dry = self.now + before / self._rate
            self.first_dry = min(self.first_dry, dry)
            self.dry_seconds += self.now + span - dry
        self.level = max(0.0, after)
        self.used += before - self.level
        self.missed += self.level - after
        if self.level < self.watermark:
            self.last_low = self.now + span
        self.lowest = min(self.lowest, self.level)

    def _crossing(self, before: float, after: float, mark: float) -> float:
        if before >= mark > after:
            return self.now + (before - mark) / self._rate
        return math.inf

    def visited(self, now: float, n_bytes: int) -> Reading:
        self.advance(now)
        taken = min(float(n_bytes), self.capacity - self.level)
        self.level += taken
        self.got += taken
        self.discarded += n_bytes - taken
        self.longest_unseen = max(self.longest_unseen, now - self.looked_at)
        self.looked_at = now
        return Reading(self.capacity, int(self.level), self.watermark, self.timeout)


@dataclass(slots=True)
class VirtualSupply:
    """A ring that an HSM fills at a rate that changes at given moments."""

    rates: Sequence[tuple[float, float]]
    """(from this second, bytes per second), in order, the first from 0."""
    capacity: int = 2048 * KIB
    level: float = 2048 * KIB
    held: float = 0.0
    """What requests under way hold of the ring."""
    now: float = 0.0
    made: float = 0.0
    stalled_seconds: float = 0.0

    def rate(self, now: float) -> float:
        return [rate for start, rate in self.rates if start <= now][-1]

    def stock(self, now: float) -> Stock:
        """Return what the decider is told."""
        return Stock(int(self.level), self.capacity, self.rate(now))

    def next_change(self) -> float:
        return min((start for start, _ in self.rates if start > self.now), default=math.inf)

    def advance(self, now: float) -> None:
        while self.now < now:
            step = min(now, self.next_change())
            rate = self.rate(self.now)
            space = max(0.0, self.capacity - self.level - self.held)
            made = min(rate * (step - self.now), space)
            if rate:
                self.stalled_seconds += step - self.now - made / rate
            self.made += made
            self.level += made
            self.now = step

    def total(self, now: float) -> float:
        """What the HSM can have made by then if it never stands still."""
        ends = [start for start, _ in self.rates[1:]] + [math.inf]
        return sum(
            rate * max(0.0, min(now, end) - start)
            for (start, rate), end in zip(self.rates, ends, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a vCenter takes no visits."""

    group: str
    start: float
    end: float


class VirtualFleet:
    """Runs a decider over hosts and supply; its figures are in the hosts and here."""

    def __init__(
        self,
        decider: Decider,
        hosts: Sequence[VirtualHost],
        supply: VirtualSupply,
        *,
        round_trip: float = 0.02,
        concurrency: int = 32,
        outages: Sequence[Outage] = (),
    ) -> None:
        self.decider = decider
        self.hosts = {host.key: host for host in hosts}
        self.supply = supply
        self.now = 0.0
        self.looks = 0
        self.feeds = 0
        self.decisions = 0
        self.decider_seconds = 0.0
        self._round_trip = round_trip
        self._concurrency = concurrency
        self._outages = outages
        self._busy = dict.fromkeys((key[0] for key in self.hosts), 0)
        self._events: list[tuple[float, int, VirtualHost, int, Reading | None]] = []
        self._order = itertools.count()
        for key in self.hosts:
            decider.add_host(key, 0.0)

    def run(self, until: float, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Go on to this moment, or to where `stop` says so after an event."""
        while self.now < until and not stop():
            wake = self._dispatch()
            moments = [wake, self.supply.next_change(), until]
            moments += [m for o in self._outages for m in (o.start, o.end) if m > self.now]
            if self._events:
                moments.append(self._events[0][0])
            self.now = max(self.now, min(moments))
            self.supply.advance(self.now)
            while self._events and self._events[0][0] <= self.now:
                self._happen(heapq.heappop(self._events))
        for host in self.hosts.values():
            host.advance(self.now)

    def _dispatch(self) -> float:
        while True:
            free = [
                group
                for group, busy in self._busy.items()
                if busy < self._concurrency and not self._out(group)
            ]
            if not free:
                return math.inf
            stock = self.supply.stock(self.now)
            began = time.process_time()
            decision = self.decider.decide(self.now, stock, free)
            self.decider_seconds += time.process_time() - began
            self.decisions += 1
            if isinstance(decision, Idle):
                return self._wake(decision)
            n_bytes = decision.n_bytes if isinstance(decision, Feed) else 0
            self._begin(self.hosts[decision.key], n_bytes)

    def _out(self, group: str) -> bool:
        return any(o.group == group and o.start <= self.now < o.end for o in self._outages)

    def _wake(self, idle: Idle) -> float:
        """Return when a bridge would ask again: as told, or when the next bytes are published."""
        until = math.inf if idle.until is None else max(idle.until, self.now + 1e-6)
        rate = self.supply.rate(self.now)
        if rate and self.supply.level + self.supply.held < self.supply.capacity:
            until = min(until, self.now + max(12288 / rate, 0.001))
        return until

    def _begin(self, host: VirtualHost, n_bytes: int) -> None:
        if n_bytes > self.supply.level:
            raise AssertionError("more bytes decided than there are")
        self.supply.level -= n_bytes
        self.supply.held += n_bytes
        self.looks += n_bytes == 0
        self.feeds += n_bytes > 0
        self._busy[host.key[0]] += 1
        began = time.process_time()
        self.decider.begun(host.key, n_bytes, self.now)
        self.decider_seconds += time.process_time() - began
        at = self.now + self._round_trip / 2
        heapq.heappush(self._events, (at, next(self._order), host, n_bytes, None))

    def _happen(self, event: tuple[float, int, VirtualHost, int, Reading | None]) -> None:
        at, _, host, n_bytes, reading = event
        if reading is None:
            reading = host.visited(at, n_bytes)
            done = at + self._round_trip / 2
            heapq.heappush(self._events, (done, next(self._order), host, n_bytes, reading))
            return
        self._busy[host.key[0]] -= 1
        self.supply.held -= n_bytes
        began = time.process_time()
        self.decider.observed(host.key, reading, at)
        self.decider_seconds += time.process_time() - began

    def first(self, name: str) -> float:
        """Return the earliest of one of the hosts' moments, such as first_dry."""
        return min(getattr(host, name) for host in self.hosts.values())
