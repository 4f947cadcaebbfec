"""Runs one decider through one scenario and works out the figures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from benchmarks.planner.baselines import RoundRobin, ThresholdInListOrder
from bridge.feed.planner import Planner
from tests.support.virtual_fleet import Decider, VirtualFleet, VirtualHost, clairvoyant_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.planner.scenarios import Scenario

DECIDERS: dict[str, Callable[[], Decider]] = {
    "planner": Planner,
    "round-robin": RoundRobin,
    "threshold": ThresholdInListOrder,
}
_SAMPLES = 100


@dataclass
class Figures:
    """What came of it; moments are in seconds, None where it did not happen."""

    scenario: str
    decider: str
    bound_dry: float | None
    bound_low: float | None
    first_low: float | None
    first_tenth: float | None
    first_dry: float | None
    dry_share: float
    """Host-seconds spent empty, of all."""
    delivered_share: float
    """Bytes delivered, of what HSM and reserve had and the hosts had use for."""
    discarded_share: float
    jain: float
    """Jain's index over the share of its demand that each host was served."""
    requests_per_second: float
    longest_unseen: float
    microseconds_per_visit: float
    lowest_over_time: list[tuple[float, float]] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the figures without the curve, which is for the plot."""
        figures = asdict(self)
        del figures["lowest_over_time"]
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}


def bounds(scenario: Scenario) -> tuple[float, float]:
    """Return how long all can be kept from running dry, and above their watermark.

    Before an outage of the HSM the most that anybody can have is full hosts and a full reserve, so
    there the time counts from its start.
    """
    hosts, supply, _ = scenario.build()
    start = 0.0
    if scenario.hsm_outage:
        start, end = scenario.hsm_outage
        supply.rates = [(0.0, 0.0), (end - start, supply.rates[-1][1])]
    step = max(1.0, scenario.hosts / 10_000)
    limit = scenario.seconds - start
    dry, low = (
        start + clairvoyant_seconds(hosts, supply, keep=keep, limit=limit, step=step)
        for keep in (0.0, 0.2)
    )
    return dry, low


def measure(scenario: Scenario, decider: str, bound: tuple[float, float]) -> Figures:
    hosts, supply, outages = scenario.build()
    starting = sum(host.capacity - host.level for host in hosts)
    reserve = supply.level
    fleet = VirtualFleet(
        DECIDERS[decider](), hosts, supply, concurrency=scenario.concurrency, outages=outages
    )
    lowest = []
    for sample in range(1, _SAMPLES + 1):
        fleet.run(scenario.seconds * sample / _SAMPLES)
        lowest.append((fleet.now, min(host.level / host.capacity for host in hosts)))
    served = [_served_share(host) for host in hosts]
    got = sum(host.got for host in hosts)
    demand = starting + sum(host.used + host.missed for host in hosts)
    sent = got + sum(host.discarded for host in hosts)
    visits = fleet.looks + fleet.feeds
    return Figures(
        scenario=scenario.name,
        decider=decider,
        bound_dry=_moment(bound[0]),
        bound_low=_moment(bound[1]),
        first_low=_moment(fleet.first("first_low")),
        first_tenth=_moment(fleet.first("first_tenth")),
        first_dry=_moment(fleet.first("first_dry")),
        dry_share=sum(host.dry_seconds for host in hosts) / (len(hosts) * fleet.now),
        delivered_share=got / min(demand, reserve + supply.total(fleet.now)),
        discarded_share=(sent - got) / sent if sent else 0.0,
        jain=sum(served) ** 2 / (len(served) * sum(share**2 for share in served)),
        requests_per_second=visits / fleet.now,
        longest_unseen=max(host.longest_unseen for host in hosts),
        microseconds_per_visit=fleet.decider_seconds / visits * 1e6,
        lowest_over_time=lowest,
    )


def _served_share(host: VirtualHost) -> float:
    wanted = host.used + host.missed
    return host.used / wanted if wanted else 1.0


def _moment(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
