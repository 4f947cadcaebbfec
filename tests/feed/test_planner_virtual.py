"""The real planner over whole fleets in virtual time."""

from __future__ import annotations

import itertools
import math
import random
import time
from typing import TYPE_CHECKING

import pytest

from bridge.feed.decision import Decision, Feed, HostKey, Idle, Look
from bridge.feed.hoststate import Reading
from bridge.feed.planner import Planner
from bridge.feed.policy import Policy, Stock
from tests.support.clairvoyant import clairvoyant_seconds
from tests.support.virtual_fleet import (
    Outage,
    Segments,
    VirtualFleet,
    VirtualHost,
    VirtualSupply,
    steady,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

KIB = 1024
FULL = 512 * KIB


def hosts(
    drains: list[float] | list[Segments], level: float = FULL, group: str = "vc"
) -> list[VirtualHost]:
    segments = [d if callable(d) else steady(d) for d in drains]
    return [VirtualHost((group, f"{group}-{i}"), s, level) for i, s in enumerate(segments)]


def supply(rate: float, ring: int = 2048 * KIB) -> VirtualSupply:
    return VirtualSupply([(0.0, rate)], capacity=ring, level=ring)


def all_promises_kept(fleet: VirtualFleet) -> None:
    assert sum(host.discarded for host in fleet.hosts.values()) == 0
    assert max(host.longest_unseen for host in fleet.hosts.values()) <= 20.0


def test_with_ample_supply_three_hundred_hosts_stay_above_90_percent():
    fleet = VirtualFleet(Planner(), hosts([1024.0] * 300), supply(10 * 300 * KIB))
    fleet.run(300.0)
    all_promises_kept(fleet)
    assert min(host.lowest for host in fleet.hosts.values()) > 0.9 * FULL
    assert fleet.looks + fleet.feeds < 2.2 * 300 * 300.0 / 17.0


def test_topping_up_asks_no_more_of_a_vcenter_than_the_policy_says():
    rules = Policy(top_ups_per_second=2.0)
    topped = VirtualFleet(Planner(rules), hosts([1024.0] * 300), supply(10 * 300 * KIB))
    topped.run(300.0)
    assert topped.looks + topped.feeds < 300 * 300.0 / 17.0 * 1.2 + 2.0 * 300.0


def test_an_outage_finds_hosts_nearly_full():
    crowd, hsm = hosts([1024.0] * 100), VirtualSupply([(0.0, 200.0 * KIB), (100.0, 0.0)])
    left = clairvoyant_seconds(crowd, VirtualSupply([(0.0, 0.0)]))
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(100.0 + 1.01 * left, stop=lambda: fleet.first("first_dry") < math.inf)
    all_promises_kept(fleet)
    assert 0.96 * left < fleet.first("first_dry") - 100.0 <= left


def heavy_tailed(n: int) -> list[float]:
    dice = random.Random(4)
    return [341.0 * dice.paretovariate(1.5) for _ in range(n)]


@pytest.mark.parametrize("drains", [[1024.0] * 100, heavy_tailed(100)], ids=["equal", "heavy"])
def test_with_half_the_supply_the_first_runs_dry_close_to_the_bound(drains):
    crowd, hsm = hosts(drains), supply(sum(drains) / 2, ring=512 * KIB)
    bound = clairvoyant_seconds(crowd, hsm)
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(bound * 1.01, stop=lambda: fleet.first("first_dry") < math.inf)
    all_promises_kept(fleet)
    assert 0.95 * bound < fleet.first("first_dry") <= bound


class CappedSupply(VirtualSupply):
    """A cap on a faster HSM: its ring is always full, and a second's worth may pass at once."""

    def stock(self, now: float) -> Stock:
        return Stock(int(self.level), 2048 * KIB, self.rate(now), int(self.capacity))


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_what_a_cap_grants_is_not_left_unused_while_hosts_sink(share):
    grant = share * 100 * KIB
    crowd = hosts([1024.0] * 100)
    hsm = CappedSupply([(0.0, grant)], capacity=int(grant), level=grant)
    bound = clairvoyant_seconds(crowd, hsm)
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(bound * 1.01, stop=lambda: fleet.first("first_dry") < math.inf)
    all_promises_kept(fleet)
    assert 0.95 * bound < fleet.first("first_dry") <= bound


def test_when_the_hsm_is_away_the_first_runs_dry_close_to_the_bound():
    """Nobody can have more than full hosts and a full ring when the outage begins."""
    drains = heavy_tailed(100)
    crowd, hsm = hosts(drains), VirtualSupply([(0.0, 2 * sum(drains)), (60.0, 0.0)])
    left = clairvoyant_seconds(crowd, VirtualSupply([(0.0, 0.0)]))
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(60.0 + 1.01 * left, stop=lambda: fleet.first("first_dry") < math.inf)
    all_promises_kept(fleet)
    assert 0.95 * left < fleet.first("first_dry") - 60.0 <= left


def test_a_watermark_in_bits_that_passes_for_bytes_hardly_matters():
    """Ten percent in bits are 80 percent in bytes."""
    drains = heavy_tailed(100)
    crowd, hsm = hosts(drains), supply(sum(drains) / 2, ring=512 * KIB)
    for host in crowd:
        host.watermark = FULL // 10 * 8
    bound = clairvoyant_seconds(crowd, hsm)
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(bound * 1.01, stop=lambda: fleet.first("first_dry") < math.inf)
    all_promises_kept(fleet)
    assert 0.95 * bound < fleet.first("first_dry") <= bound


def test_the_bound_counts_what_hosts_and_ring_cannot_keep():
    """An hour of plenty helps nobody through an outage that is longer than full pools last."""
    crowd = hosts([1024.0] * 10)
    hsm = VirtualSupply([(0.0, 1e6), (3600.0, 0.0)], capacity=100 * KIB, level=0)
    assert clairvoyant_seconds(crowd, hsm, limit=5000, anew=[3600.0]) == pytest.approx(4122)
    assert clairvoyant_seconds(crowd, hsm, limit=5000) == math.inf
    assert clairvoyant_seconds(crowd, hsm, keep=0.5, limit=5000, anew=[0.0, 3600.0]) < 4122


def test_an_hsm_just_fast_enough_keeps_everybody_above_the_watermark():
    drains = heavy_tailed(100)
    crowd, hsm = hosts(drains), supply(sum(drains) * 1.02)
    assert clairvoyant_seconds(crowd, hsm, keep=0.2, limit=900) == math.inf
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(900.0)
    all_promises_kept(fleet)
    assert fleet.first("first_low") == math.inf


@pytest.mark.parametrize("rate", [4.8e6, 10e6, 20e6])
def test_empty_hosts_are_above_the_watermark_as_fast_as_bytes_come(rate):
    crowd = hosts([1024.0] * 300, level=0)
    hsm = VirtualSupply([(0.0, rate)], level=0)
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(60.0, stop=lambda: all(host.level >= host.watermark for host in crowd))
    bound = 300 * 104857 / (rate - 300 * 1024)
    assert fleet.now < 1.12 * bound


def test_a_vcenter_that_is_away_disturbs_no_other_and_is_made_good_for():
    away = hosts([1024.0] * 60, group="away")
    other = hosts([1024.0] * 60, group="other")
    fleet = VirtualFleet(
        Planner(), away + other, supply(3 * 120 * KIB), outages=[Outage("away", 60.0, 360.0)]
    )
    fleet.run(360.0)
    assert min(host.lowest for host in other) > 0.8 * FULL
    assert max(host.longest_unseen for host in other) <= 20.0
    assert 0.2 * FULL < min(host.level for host in away) < 0.5 * FULL
    fleet.run(480.0)
    assert min(host.level for host in away) > 0.8 * FULL
    assert sum(host.discarded for host in away + other) == 0


def test_an_hsm_that_is_away_is_made_good_for():
    crowd = hosts([1024.0] * 100)
    rates = [(0.0, 300.0 * KIB), (100.0, 0.0), (400.0, 300.0 * KIB)]
    fleet = VirtualFleet(Planner(), crowd, VirtualSupply(rates))
    fleet.run(400.0)
    levels = [host.level for host in crowd]
    assert max(levels) - min(levels) < 0.2 * FULL
    fleet.run(650.0)
    all_promises_kept(fleet)
    assert fleet.first("first_low") == math.inf
    assert min(host.level for host in crowd) > 0.8 * FULL


def storm() -> Iterator[tuple[float, float]]:
    return iter([(100.0, 1024.0), (60.0, 10 * 1024.0), (math.inf, 1024.0)])


def test_a_boot_storm_is_followed():
    """Nobody can do better than 33 %: 600 KiB used each, 240 KiB made and 20 KiB in reserve."""
    crowd = hosts([storm] * 100)
    fleet = VirtualFleet(Planner(), crowd, supply(400.0 * KIB))
    fleet.run(500.0)
    all_promises_kept(fleet)
    assert fleet.first("first_low") == math.inf
    assert min(host.level for host in crowd) > 0.8 * FULL


def bursts(seed: int, steep: float = 8 * 1024.0) -> Segments:
    def segments() -> Iterator[tuple[float, float]]:
        dice = random.Random(seed)
        while True:
            yield dice.expovariate(1 / 120), 512.0
            yield dice.expovariate(1 / 15), steep

    return segments


def test_bursts_are_seen_in_time():
    crowd = hosts([bursts(seed) for seed in range(100)])
    fleet = VirtualFleet(Planner(), crowd, supply(300.0 * KIB))
    fleet.run(600.0)
    all_promises_kept(fleet)
    assert fleet.first("first_low") == math.inf


def test_with_half_the_supply_a_burst_does_not_find_a_host_unprepared():
    """Who knows all bursts beforehand can leave every host empty at the end; nobody else can."""
    crowd = hosts([bursts(seed, 5 * 1024.0) for seed in range(100)])
    hsm = supply(50.0 * KIB, ring=512 * KIB)
    bound = clairvoyant_seconds(crowd, hsm)
    fleet = VirtualFleet(Planner(), crowd, hsm)
    fleet.run(bound * 1.01, stop=lambda: fleet.first("first_dry") < math.inf)
    all_promises_kept(fleet)
    assert 0.94 * bound < fleet.first("first_dry") <= bound


def test_a_host_that_never_burst_is_taken_to_burst_as_its_neighbours_do():
    """From 30 percent they cannot be kept longer than 300 s, and many burst for the first time."""
    crowd = hosts([bursts(seed, 5 * 1024.0) for seed in range(100)], level=0.3 * FULL)
    fleet = VirtualFleet(Planner(), crowd, supply(50.0 * KIB))
    fleet.run(260.0)
    all_promises_kept(fleet)
    assert fleet.first("first_dry") == math.inf


class TakesNothing(VirtualHost):
    """A host that answers every add with success and keeps none of it."""

    def visited(self, now: float, n_bytes: int) -> Reading:
        self.discarded += n_bytes
        return VirtualHost.visited(self, now, 0)


def test_a_host_that_takes_nothing_takes_nothing_from_others():
    crowd = hosts([1024.0] * 40)
    broken = TakesNothing(("vc", "broken"), steady(1024.0), 0)
    fleet = VirtualFleet(Planner(), [broken, *crowd], supply(50.0 * KIB))
    fleet.run(300.0)
    assert min(host.lowest for host in crowd) > 0.75 * FULL
    assert broken.discarded < 0.2 * fleet.supply.made


class SecondDoor(VirtualHost):
    """The same pool, as another bridge comes to it."""

    behind: VirtualHost

    def advance(self, now: float) -> None:
        self.behind.advance(now)

    def visited(self, now: float, n_bytes: int) -> Reading:
        return self.behind.visited(now, n_bytes)


class TwoBridges:
    """Two planners that know nothing of each other, one group each."""

    def __init__(self) -> None:
        self.planners = {"one": Planner(phase=0.11), "two": Planner(phase=0.76)}

    def add_host(self, key: HostKey, now: float) -> None:
        self.planners[key[0]].add_host(key, now)

    def begun(self, key: HostKey, n_bytes: int, now: float) -> None:
        self.planners[key[0]].begun(key, n_bytes, now)

    def observed(self, key: HostKey, reading: Reading, now: float) -> None:
        self.planners[key[0]].observed(key, reading, now)

    def decide(self, now: float, stock: Stock, open_groups: Collection[str]) -> Decision:
        until = math.inf
        for group in open_groups:
            decision = self.planners[group].decide(now, stock, {group})
            if not isinstance(decision, Idle):
                return decision
            until = min(until, math.inf if decision.until is None else decision.until)
        return Idle(until)


def both_feed(crowd: list[VirtualHost]) -> tuple[TwoBridges, VirtualFleet]:
    doors = [SecondDoor(("two", host.key[1]), host.segments, FULL) for host in crowd]
    for door, host in zip(doors, crowd, strict=True):
        door.behind = host
    bridges = TwoBridges()
    return bridges, VirtualFleet(bridges, [*crowd, *doors], supply(300.0 * KIB))


def test_two_bridges_that_feed_the_same_hosts_waste_little_and_notice_each_other():
    """A host that is known to be shared is not said to live longer than it would without both."""
    crowd = hosts([1024.0] * 40, group="one")
    bridges, fleet = both_feed(crowd)
    fleet.run(1200.0)
    assert min(host.lowest for host in crowd) > 0.9 * FULL
    assert sum(host.discarded for host in crowd) < 0.03 * sum(host.got for host in crowd)
    outlooks = [o for p in bridges.planners.values() for o in p.outlook(1200.0)]
    noticed = {outlook.key[1] for outlook in outlooks if outlook.shared}
    assert len(noticed) > 35
    assert all(o.drain_bytes_per_second > 900.0 for o in outlooks if o.shared)


@pytest.mark.parametrize("rate", [1e3, 15e3, 50e3, 150e3, 400e3])
def test_no_host_that_one_bridge_feeds_is_taken_for_shared(rate):
    crowd = hosts([rate * (1.0 + i / 7.0) for i in range(8)])
    planner = Planner()
    fleet = VirtualFleet(planner, crowd, supply(4.0 * 8 * rate))
    for now in range(1, 201):
        fleet.run(float(now))
        assert not any(outlook.shared for outlook in planner.outlook(fleet.now))


def test_it_says_so_when_round_trips_cannot_keep_up():
    slow = VirtualFleet(
        Planner(), hosts([1024.0] * 200), supply(2e6), round_trip=1.0, concurrency=5
    )
    slow.run(120.0)
    lateness = slow.decider.keeps_up(slow.now)
    assert lateness.overdue > 50
    assert 10.0 < lateness.worst_seconds < 40.0
    assert max(host.longest_unseen for host in slow.hosts.values()) < 60.0


def test_few_requests_carry_much_also_to_hosts_that_are_low():
    """8 visits in a second, of 256 KiB, are 2.1 of the 2.4 MB that are used in it."""
    crowd = hosts([8000.0] * 300)
    plenty = supply(50e6, ring=4096 * KIB)
    few = VirtualFleet(Planner(), crowd, plenty, round_trip=1.0, concurrency=8)
    few.run(600.0)
    assert sum(host.got for host in crowd) > 0.85 * 8 * 256 * KIB * 600.0


def microseconds_per_visit(n: int, visits: int) -> float:
    """Time the planner over a fleet in which everybody waits for bytes."""
    planner, stock = Planner(), Stock(1600 * KIB, 2048 * KIB, 1e4)
    for i in range(n):
        planner.add_host(("vc", f"h{i}"), 0.0)
        planner.begun(("vc", f"h{i}"), 0, 0.0)
        planner.observed(("vc", f"h{i}"), Reading(FULL, 200 * KIB + i % 997, 104857, 60), 0.0)
    began = time.process_time()
    for i in itertools.islice(itertools.count(), visits):
        now = 0.5 + i * 20.0 / n
        decision = planner.decide(now, stock, {"vc"})
        assert isinstance(decision, Feed | Look)
        planner.begun(decision.key, getattr(decision, "n_bytes", 0), now)
        planner.observed(decision.key, Reading(FULL, 220 * KIB, 104857, 60), now)
    return (time.process_time() - began) / visits * 1e6


def test_a_hundred_times_the_hosts_do_not_cost_a_hundred_times_as_much():
    small = min(microseconds_per_visit(200, 1000) for _ in range(3))
    assert microseconds_per_visit(20_000, 4000) < 12 * small
