"""Pauses of a vCenter that turns requests away: long while they help, short where they do not."""

import random

import pytest

from bridge.feed.patience import Patience
from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_fleet import VirtualHost, VirtualSupply, steady
from tests.support.virtual_loop import run_virtually
from tests.support.virtual_throttlers import ByChance, ByNumber, ByRate
from tests.support.virtual_vcenter import Case, Trouble, VirtualVCenter

CAPACITY = 512 * 1024
DRAIN = 6144.0
SECONDS = 300.0


def last_pause(admits, n_requests=400):
    """Send one request after another, 20 ms each, and heed every pause; returns the last."""
    patience, now, pause = Patience(), 0.0, 0.0
    for _ in range(n_requests):
        began, now = now, now + 0.02
        if admits(began):
            patience.taken(began)
        else:
            pause = patience.turned_away(began, now)
            now += pause
    return pause


def test_a_share_that_is_turned_away_whatever_one_does_makes_pauses_short():
    dice = random.Random(1)
    assert last_pause(lambda _: dice.random() >= 0.3) < 0.3


@pytest.mark.parametrize("per_second", [2.0, 5.0, 20.0])
def test_a_rate_that_is_kept_by_waiting_leaves_them_long(per_second):
    assert last_pause(ByRate(per_second).admits) == 1.0


def test_one_that_turns_most_away_is_left_alone_for_long_again():
    dice, n = random.Random(1), 0

    def admits(_):
        nonlocal n
        n += 1
        return n < 300 and dice.random() >= 0.3

    assert last_pause(admits) == 1.0


def test_what_was_under_way_when_the_pause_began_does_not_say_that_it_was_in_vain():
    patience = Patience()
    for _ in range(20):
        patience.taken(0.0)
    assert [patience.turned_away(0.0, 1.0 + n / 100) for n in range(8)] == [1.0] * 8


def fed(throttler=None, n_ill=0, n=60):
    """Feed hosts that could all be kept; returns those that are well."""
    cases = [Case(VirtualHost(("vc", f"h{i}"), steady(DRAIN), 0.5 * CAPACITY)) for i in range(n)]
    for case in cases[:n_ill]:
        case.troubles = (Trouble("throttled", 30.0, SECONDS),)
    vcenter = VirtualVCenter("vc", cases, throttler=throttler)

    def watch(now):
        for case in cases:
            case.host.advance(now)

    async def main():
        hsm = VirtualSupply([(0.0, 3.0 * n * DRAIN)])
        await VirtualBridge([vcenter], hsm, seed=1).run(watch, SECONDS)

    run_virtually(main())
    return [case.host for case in cases[n_ill:]]


@pytest.mark.parametrize(
    ("throttler", "refused_most"),
    [
        (ByChance(0.3), 1600),
        (ByRate(5.0), 1000),
        (ByRate(5.0, retry_after_seconds=1.0), 1000),
        (ByRate(10.0), 300),
        (ByNumber(2), 600),
        (ByNumber(4), 50),
    ],
    ids=["chance", "5/s", "5/s, said", "10/s", "2 at once", "4 at once"],
)
def test_a_vcenter_that_turns_requests_away_is_brought_what_its_hosts_use(throttler, refused_most):
    hosts = fed(throttler)
    assert sum(host.got for host in hosts) > 0.99 * len(hosts) * DRAIN * SECONDS
    assert sum(host.dry_seconds for host in hosts) < 0.001 * len(hosts) * SECONDS
    assert throttler.n_refused < refused_most


def test_many_hosts_that_are_turned_away_one_by_one_are_no_trouble_of_the_others():
    assert all(host.lowest > 0.2 * CAPACITY for host in fed(n_ill=40, n=100))
