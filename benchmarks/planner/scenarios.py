"""The fleets, drains, HSM rates and outages that the planner is measured with."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tests.support.virtual_fleet import KIB, Outage, Segments, VirtualHost, VirtualSupply, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FULL = 512 * KIB
HOSTS_PER_VCENTER = 2500
RING = 2048 * KIB
_LARGE_HOST_SECONDS = 2e6
_SEEDS_APART = 1_000_003


class Spell(NamedTuple):
    """A time of even use, after which it changes; how long it lasts has no memory."""

    bytes_per_second: float
    mean_seconds: float


def constant(seed: int) -> Segments:
    del seed
    return steady(1024.0)


def heavy_tailed(seed: int) -> Segments:
    """Pareto with exponent 1.5 and a mean of 1 KiB/s, cut at 16 KiB/s."""
    return steady(min(16 * 1024.0, 1024.0 / 3.0 * random.Random(seed).paretovariate(1.5)))


CALM = Spell(512.0, 120.0)
BURST = Spell(5 * 1024.0, 15.0)


def bursty(seed: int) -> Segments:
    """512 B/s with bursts of 5 KiB/s, and no telling when they come; 1 KiB/s on average."""

    def segments() -> Iterator[tuple[float, float]]:
        dice = random.Random(seed)
        while True:
            for spell in (CALM, BURST):
                yield dice.expovariate(1 / spell.mean_seconds), spell.bytes_per_second

    return segments


def boot_storm(seed: int) -> Segments:
    """1 KiB/s, and everybody 6 KiB/s for a minute after 5 minutes."""
    start = 300.0 + random.Random(seed).uniform(0.0, 5.0)
    return lambda: iter([(start, 1024.0), (60.0, 6 * 1024.0), (math.inf, 1024.0)])


DRAINS: dict[str, Callable[[int], Segments]] = {
    "constant": constant,
    "heavy-tailed": heavy_tailed,
    "bursty": bursty,
    "boot storm": boot_storm,
}


@dataclass(frozen=True)
class Scenario:
    """One fleet and what befalls it; hsm is the rate as a multiple of the mean total drain."""

    hosts: int
    drain: str
    hsm: float
    seconds: float
    start: float = 1.0
    hsm_outage: tuple[float, float] | None = None
    vcenter_outage: tuple[float, float] | None = None
    seed: int = 0
    """Other dice for drains that are drawn."""

    @property
    def name(self) -> str:
        parts = [f"{self.hosts} {self.drain}, HSM {self.hsm:g}x"]
        if self.start < 1.0:
            parts.append(f"from {self.start:.0%}")
        if self.hsm_outage:
            parts.append("HSM away {:g}-{:g} s".format(*self.hsm_outage))
        if self.vcenter_outage:
            parts.append("vCenter away {:g}-{:g} s".format(*self.vcenter_outage))
        if self.seed:
            parts.append(f"seed {self.seed}")
        return ", ".join(parts)

    @property
    def outage_start(self) -> float:
        """When the HSM goes away; 0 if it does not."""
        return self.hsm_outage[0] if self.hsm_outage else 0.0

    @property
    def concurrency(self) -> int:
        return max(32, self.hosts // 100)

    def build(self) -> tuple[list[VirtualHost], VirtualSupply, Sequence[Outage]]:
        make = DRAINS[self.drain]
        hosts = [
            VirtualHost(
                (f"vc{i // HOSTS_PER_VCENTER % 4}", f"host-{i}"),
                make(self.seed * _SEEDS_APART + i),
                self.start * FULL,
            )
            for i in range(self.hosts)
        ]
        rate = self.hsm * self.mean_drain(hosts)
        rates = [(0.0, rate)]
        if self.hsm_outage:
            start, end = self.hsm_outage
            rates += [(start, 0.0), (end, rate)]
        outages = [Outage("vc0", *self.vcenter_outage)] if self.vcenter_outage else []
        return hosts, VirtualSupply(rates, capacity=RING, level=RING), outages

    def mean_drain(self, hosts: Sequence[VirtualHost]) -> float:
        if self.drain == "heavy-tailed":
            return sum(next(host.segments())[1] for host in hosts)
        return 1024.0 * len(hosts)


def small(hosts: int) -> list[Scenario]:
    """Every drain with every rate; long enough for what must run dry to do so."""
    rates = {0.5: 1300.0, 0.9: 900.0, 1.1: 900.0, 2.0: 600.0, 10.0: 600.0}
    matrix = [
        Scenario(hosts, drain, rate, seconds) for drain in DRAINS for rate, seconds in rates.items()
    ]
    away = [
        Scenario(hosts, drain, 2.0, 900.0, hsm_outage=(100.0, 100.0 + seconds))
        for drain, seconds in (
            ("constant", 300.0),
            ("constant", 600.0),
            ("heavy-tailed", 400.0),
            ("bursty", 300.0),
        )
    ]
    return [
        *matrix,
        *away,
        Scenario(hosts, "constant", 2.0, 900.0, vcenter_outage=(100.0, 400.0)),
        Scenario(hosts, "heavy-tailed", 0.5, 600.0, start=0.3),
    ]


def large(sizes: Sequence[int]) -> list[Scenario]:
    """Many hosts that start low at half of what they use; the larger, the shorter."""
    most_seconds = {"constant": 320.0, "bursty": 320.0, "heavy-tailed": 400.0}
    return [
        Scenario(hosts, drain, 0.5, min(seconds, _LARGE_HOST_SECONDS / hosts), start=0.3)
        for hosts in sizes
        for drain, seconds in most_seconds.items()
        if drain == "heavy-tailed" or hosts <= _LARGE_HOST_SECONDS / seconds
    ]
