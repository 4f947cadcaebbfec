"""Many hosts that hang, each request until its time-out, and the others of their vCenter."""

import pytest

from bridge.feed.decision import Idle, Look
from bridge.feed.hoststate import NO_ANSWER, Reading
from bridge.feed.planner import Planner
from bridge.feed.policy import Stock
from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_fleet import VirtualHost, VirtualSupply, steady
from tests.support.virtual_loop import run_virtually
from tests.support.virtual_vcenter import Case, Trouble, VirtualVCenter

CAPACITY = 512 * 1024
DRAIN = 6144.0
BEGINS, ENDS = 60.0, 400.0


def hosts_of_which_hang(n_ill, n, kind, until):
    """Feed them; returns those that hang, and the others."""
    cases = [Case(VirtualHost(("vc", f"h{i}"), steady(DRAIN), 0.5 * CAPACITY)) for i in range(n)]
    for case in cases[:n_ill]:
        case.troubles = (Trouble(kind, BEGINS, ENDS),)

    def watch(now):
        for case in cases:
            case.host.advance(now)

    async def main():
        hsm = VirtualSupply([(0.0, 3.0 * n * DRAIN)])
        await VirtualBridge([VirtualVCenter("vc", cases)], hsm, seed=1).run(watch, until)

    run_virtually(main())
    hosts = [case.host for case in cases]
    return hosts[:n_ill], hosts[n_ill:]


@pytest.mark.parametrize("kind", ["hang", "add hang"])
def test_hosts_that_hang_and_time_out_together_are_no_outage(kind):
    _, well = hosts_of_which_hang(20, 60, kind, until=300.0)
    assert all(host.lowest > host.watermark for host in well)


def test_hosts_that_hang_hold_a_part_of_the_places_and_are_fed_soon_when_they_answer():
    ill, well = hosts_of_which_hang(40, 100, "hang", until=ENDS + 90.0)
    assert all(host.lowest > 0.1 * CAPACITY for host in well)
    assert all(host.level > host.watermark for host in ill)


def test_of_two_places_hosts_that_may_hang_get_one_and_the_others_go_first_in_doubt():
    planner = Planner()
    keys = [("vc", f"h{i}") for i in range(4)]
    for key in keys:
        planner.add_host(key, 0.0)
        planner.begun(key, 0, 0.0)
    for key in keys[:3]:
        planner.absent(key, NO_ANSWER, 30.0)
    planner.observed(keys[3], Reading(CAPACITY, CAPACITY, CAPACITY // 5, 60.0), 30.0)
    planner.places("vc", 2)
    stock = Stock(1 << 20, 1 << 20, 1 << 20)
    first = planner.decide(31.5, stock, {"vc"})
    assert first.key in keys[:3]
    planner.begun(first.key, 0, 31.5)
    assert isinstance(planner.decide(31.5, stock, {"vc"}), Idle)
    planner.doubt("vc", 60.0)
    assert planner.decide(60.0, stock, {"vc"}) == Look(keys[3])
    planner.absent(first.key, NO_ANSWER, 70.0)
    planner.begun(keys[3], 0, 70.0)
    planner.observed(keys[3], Reading(CAPACITY, CAPACITY, CAPACITY // 5, 60.0), 70.0)
    assert planner.decide(70.0, stock, {"vc"}).key in set(keys[:3]) - {first.key}
