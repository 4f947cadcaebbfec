"""What the planner's decisions cost in CPU: a run is recorded, and then replayed to it alone."""

from __future__ import annotations

import gc
import math
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.planner.scenarios import Scenario
from bridge.feed.planner import Planner
from tests.support.virtual_fleet import VirtualFleet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bridge.feed.decision import Decision, HostKey
    from bridge.feed.hoststate import Reading
    from bridge.feed.policy import Stock

_REPLAYS = 5


class Cost(NamedTuple):
    """Microseconds of CPU, the least of several replays."""

    hosts: int
    per_visit: float
    """A visit with its report and with the answers "nothing yet" in between."""
    per_decision: float
    """The same, by answers of any kind."""


class Growth(NamedTuple):
    """Microseconds per decision as a line over the binary logarithm of the number of hosts."""

    at_one_host: float
    per_doubling: float
    r2: float
    """The share of the variance that the line explains."""


def fit(costs: Sequence[Cost]) -> Growth:
    doublings = [math.log2(cost.hosts) for cost in costs]
    micros = [cost.per_decision for cost in costs]
    slope, start = statistics.linear_regression(doublings, micros)
    return Growth(start, slope, statistics.correlation(doublings, micros) ** 2)


class _Recorded:
    """A planner, and all that it was asked and told."""

    def __init__(self) -> None:
        self.calls: list[Callable[[Planner], object]] = []
        self._planner = Planner()

    def add_host(self, key: HostKey, now: float) -> None:
        self._planner.add_host(key, now)
        self.calls.append(lambda planner: planner.add_host(key, now))

    def decide(self, now: float, stock: Stock, open_groups: Collection[str]) -> Decision:
        self.calls.append(lambda planner: planner.decide(now, stock, open_groups))
        return self._planner.decide(now, stock, open_groups)

    def begun(self, key: HostKey, n_bytes: int, now: float) -> None:
        self._planner.begun(key, n_bytes, now)
        self.calls.append(lambda planner: planner.begun(key, n_bytes, now))

    def observed(self, key: HostKey, reading: Reading, now: float) -> None:
        self._planner.observed(key, reading, now)
        self.calls.append(lambda planner: planner.observed(key, reading, now))


def cost(hosts: int) -> Cost:
    """Measure over a fleet that starts at half of its capacity, at half of what it uses."""
    scenario = Scenario(hosts, "heavy-tailed", 0.5, 20.0, start=0.5)
    crowd, supply, _ = scenario.build()
    recorded = _Recorded()
    fleet = VirtualFleet(recorded, crowd, supply, concurrency=scenario.concurrency)
    fleet.run(scenario.seconds)
    least = math.inf
    for _ in range(_REPLAYS if hosts <= 10_000 else 2):
        planner = Planner()
        gc.collect()
        began = time.process_time()
        for call in recorded.calls:
            call(planner)
        least = min(least, time.process_time() - began)
    visits = fleet.looks + fleet.feeds
    return Cost(hosts, least / visits * 1e6, least / fleet.decisions * 1e6)
