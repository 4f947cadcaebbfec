"""Runs one decider through one scenario and works out the figures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.planner.baselines import RoundRobin, ThresholdInListOrder
from benchmarks.planner.foresight import unforeseen_seconds
from benchmarks.planner.informed import Informed
from bridge.feed.planner import Planner
from tests.support.clairvoyant import clairvoyant_seconds
from tests.support.virtual_fleet import Decider, VirtualFleet, VirtualHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.planner.scenarios import Scenario

DECIDERS: dict[str, Callable[[], Decider]] = {
    "planner": Planner,
    "round-robin": RoundRobin,
    "threshold": ThresholdInListOrder,
}
INFORMED = "informed"
"""The planner that is told every level once a second."""
_SAMPLES = 100
_ANEW_SECONDS = 20.0


@dataclass(frozen=True)
class Bounds:
    """How long it can be done, in seconds, by whoever knows all beforehand; inf: throughout."""

    dry: float
    low: float
    dry_unforeseen: float
    """As dry, for who sees and knows everything but the future, as far as that is known."""


@dataclass
class Figures:
    """What came of it; moments are in seconds, None where it did not happen."""

    scenario: str
    decider: str
    bound_dry: float | None
    bound_dry_unforeseen: float | None
    bound_low: float | None
    first_low: float | None
    first_tenth: float | None
    first_dry: float | None
    share_of_bound: float | None
    """How long all lasted, of what the bound grants; in an outage, both from its start."""
    dry_share: float
    """Host-seconds spent empty, of all."""
    delivered_share: float
    """Bytes delivered, of what HSM and reserve had and the hosts had use for."""
    discarded_share: float
    jain: float
    """Jain's index over the share of its demand that each host was served."""
    requests_per_second: float
    longest_unseen: float
    lowest_over_time: list[tuple[float, float]] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the figures without the curve, which is for the plot."""
        figures = asdict(self)
        del figures["lowest_over_time"]
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}


def bounds(scenario: Scenario) -> Bounds:
    """Return the bounds, which also count from moments at which nobody can have more than all full.

    A drain that is constant, or the same for everybody, needs no foresight: who sees the levels can
    do what the clairvoyant does. Nor does an outage, for who keeps everybody full until it comes.
    """
    hosts, supply, _ = scenario.build()
    limit = scenario.seconds
    anew = [*np.arange(0.0, limit, _ANEW_SECONDS), scenario.outage_start]
    step = max(1.0, scenario.hosts / 100_000)
    dry, low = (
        clairvoyant_seconds(hosts, supply, keep=keep, limit=limit, step=step, anew=anew)
        for keep in (0.0, 0.2)
    )
    unforeseen = unforeseen_seconds(scenario, limit) if scenario.drain == "bursty" else math.inf
    return Bounds(dry, low, min(dry, unforeseen))


def measure(scenario: Scenario, decider: str, bound: Bounds) -> Figures:
    hosts, supply, outages = scenario.build()
    starting = sum(host.capacity - host.level for host in hosts)
    reserve = supply.level
    mind = Informed(hosts) if decider == INFORMED else DECIDERS[decider]()
    fleet = VirtualFleet(mind, hosts, supply, concurrency=scenario.concurrency, outages=outages)
    lowest = []
    for sample in range(1, _SAMPLES + 1):
        fleet.run(scenario.seconds * sample / _SAMPLES)
        lowest.append((fleet.now, min(host.level / host.capacity for host in hosts)))
    served = [_served_share(host) for host in hosts]
    got = sum(host.got for host in hosts)
    demand = starting + sum(host.used + host.missed for host in hosts)
    sent = got + sum(host.discarded for host in hosts)
    return Figures(
        scenario=scenario.name,
        decider=decider,
        bound_dry=_moment(bound.dry),
        bound_dry_unforeseen=_moment(bound.dry_unforeseen),
        bound_low=_moment(bound.low),
        first_low=_moment(fleet.first("first_low")),
        first_tenth=_moment(fleet.first("first_tenth")),
        first_dry=_moment(fleet.first("first_dry")),
        share_of_bound=_share(scenario, fleet.first("first_dry"), bound.dry),
        dry_share=sum(host.dry_seconds for host in hosts) / (len(hosts) * fleet.now),
        delivered_share=got / min(demand, reserve + supply.total(fleet.now)),
        discarded_share=(sent - got) / sent if sent else 0.0,
        jain=sum(served) ** 2 / (len(served) * sum(share**2 for share in served)),
        requests_per_second=(fleet.looks + fleet.feeds) / fleet.now,
        longest_unseen=max(host.longest_unseen for host in hosts),
        lowest_over_time=lowest,
    )


def _share(scenario: Scenario, first_dry: float, bound: float) -> float | None:
    if math.isinf(bound):
        return None
    start = scenario.outage_start if scenario.outage_start < bound else 0.0
    return (min(first_dry, scenario.seconds) - start) / (bound - start)


def _served_share(host: VirtualHost) -> float:
    wanted = host.used + host.missed
    return host.used / wanted if wanted else 1.0


def _moment(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
