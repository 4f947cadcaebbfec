"""Hosts that can be looked at and lose what they are sent do not use up what the HSM gives."""

import pytest

from bridge.feed.decision import Feed, Idle, Look
from bridge.feed.hoststate import HostState, Reading
from bridge.feed.planner import Planner
from bridge.feed.policy import Stock

CAPACITY = 512 * 1024
MAX_ADD = 256 * 1024
PLENTY = Stock(2 << 20, 2 << 20, 1e6)
SECONDS = 120


def reading(available):
    return Reading(CAPACITY, available, CAPACITY // 5, 60)


def key(name, group="vc"):
    return (group, name)


def refused(planner, decision, now):
    planner.absent(decision.key, "refused", now)


def lost(planner, decision, now):
    planner.uncertain(decision.key, decision.n_bytes, now)


def played(planner, levels, fate, seconds=SECONDS):
    """Play so long; looks succeed, and `fate` tells what becomes of bytes. Returns their sizes."""
    sent, now = {name: [] for name in levels}, 0.0
    while now < seconds:
        decision = planner.decide(now, PLENTY, {"vc"})
        if isinstance(decision, Idle):
            now = min(seconds, now + 1.0 if decision.until is None else decision.until)
            continue
        name, n_bytes = decision.key[1], getattr(decision, "n_bytes", 0)
        planner.begun(decision.key, n_bytes, now)
        now += 0.01
        if isinstance(decision, Look):
            planner.observed(decision.key, reading(levels[name]), now)
        else:
            sent[name].append(n_bytes)
            fate(planner, decision, now)
    return sent


@pytest.mark.parametrize("fate", [refused, lost])
def test_a_host_that_loses_all_it_is_sent_is_sent_less_and_later(fate):
    planner = Planner()
    planner.add_host(key("a"), 0.0)
    sent = played(planner, {"a": 1000}, fate)["a"]
    assert sent[:5] == [MAX_ADD // 3 * 3, *(MAX_ADD // 4**n // 3 * 3 for n in (1, 2, 3)), 1023]
    assert set(sent[5:]) == {768}
    assert 6 <= len(sent) <= 12
    (outlook,) = planner.outlook(SECONDS)
    assert outlook.state is HostState.ABSENT
    assert outlook.reason == ("refused" if fate is refused else "what it is sent is lost")


def turned_away(planner, decision, now):
    planner.released(decision.key, now, decision.n_bytes)


@pytest.mark.parametrize("fate", [refused, turned_away])
def test_a_vcenter_that_takes_nothing_gets_pieces_for_all_its_hosts_until_one_arrives(fate):
    planner, names = Planner(), [f"host-{number}" for number in range(100)]
    for name in names:
        planner.add_host(key(name), 0.0)
    sent = played(planner, dict.fromkeys(names, 1000), fate)
    assert sum(n_bytes > 768 for sizes in sent.values() for n_bytes in sizes) == 8
    assert all(sent.values())
    new = key("new")
    planner.add_host(new, SECONDS)
    planner.begun(new, 0, SECONDS)
    planner.observed(new, reading(0), SECONDS)
    assert planner.decide(SECONDS, PLENTY, {"vc"}) == Feed(new, 768)
    planner.begun(new, 768, SECONDS)
    planner.observed(new, reading(700), SECONDS)
    decision = planner.decide(SECONDS, PLENTY, {"vc"})
    assert decision.key == new
    assert decision.n_bytes > CAPACITY // 5  # above its watermark, while others are below theirs


def test_one_loss_costs_the_host_a_round_trip_and_no_more():
    planner = Planner()
    planner.add_host(key("a"), 0.0)
    levels, fates = {"a": 1000}, [lost]

    def fate(planner, decision, now):
        if fates:
            fates.pop()(planner, decision, now)
        else:
            levels["a"] += decision.n_bytes
            planner.observed(decision.key, reading(levels["a"]), now)

    sent = played(planner, levels, fate, 1.0)["a"]
    assert sent[:3] == [MAX_ADD // 3 * 3, MAX_ADD // 4 // 3 * 3, MAX_ADD // 3 * 3]
    (outlook,) = planner.outlook(1.0)
    assert outlook.state is HostState.READ


def test_bytes_of_which_only_the_answer_was_lost_are_no_loss():
    planner = Planner()
    planner.add_host(key("a"), 0.0)
    levels = {"a": 1000}

    def fate(planner, decision, now):
        levels["a"] += decision.n_bytes
        lost(planner, decision, now)

    sent = played(planner, levels, fate, 5.0)["a"]
    assert sent[0] == MAX_ADD // 3 * 3
    assert levels["a"] > CAPACITY * 0.9
