import math

import pytest

from bridge.feed.drain import DrainEstimate
from bridge.feed.hoststate import Host, HostState, Reading
from bridge.feed.policy import Policy
from bridge.feed.turns import Group

KIB = 1024
CAPACITY = 512 * KIB


def reading(available: int) -> Reading:
    return Reading(CAPACITY, available, 104857, 60)


def host(available: int, now: float = 0.0) -> Host:
    host = Host(("vc", "h"), Group(1000), serial=1, contact_at=now, begun_at=now)
    host.take_reading(reading(available), now)
    return host


def visit(host: Host, now: float, sent: int, available: int) -> None:
    host.visit_bytes, host.begun_at = sent, now
    host.take_reading(reading(available), now)
    host.visit_bytes = None
    host.schedule(now, Policy())


def test_a_watermark_in_bits_is_put_right():
    assert Reading(512 * KIB, 0, 104857 * 8, 60).sane().low_watermark_bytes == 104857


def test_an_impossible_watermark_is_bounded():
    assert Reading(1000, 0, 10**9, 60).sane().low_watermark_bytes == 1000


@pytest.mark.parametrize("available", [-5, 10**9])
def test_an_impossible_level_is_bounded(available):
    assert 0 <= Reading(1000, available, 200, 60).sane().available_bytes <= 1000


def test_a_missing_timeout_is_the_default():
    assert Reading(1000, 0, 200, 0).sane().inactive_source_timeout_seconds == 60


def test_room_is_whole_groups_of_three():
    assert host(CAPACITY - 11).room_at(0.0) == 9
    assert host(CAPACITY - 2).room_at(0.0) == 0


def test_the_level_sinks_with_the_estimate_and_not_below_zero():
    h = host(100 * KIB)
    assert h.level_at(30.0) == 70 * KIB
    assert h.level_at(300.0) == 0.0


def test_it_learns_the_drain_from_looks_and_from_feeds():
    h = host(300 * KIB)
    level = 300 * KIB
    for turn in range(1, 12):
        sent = 10 * KIB if turn % 2 else 0
        level += sent - 20 * 300
        visit(h, 20.0 * turn, sent, level)
    assert h.drain.near == pytest.approx(300, rel=0.1)
    assert not h.shared_at(220.0)


def test_an_empty_host_says_nothing_of_its_drain():
    h = host(300 * KIB)
    visit(h, 20.0, 0, 299 * KIB)
    before = h.drain.near, h.drain.far
    visit(h, 900.0, 0, 0)
    learnt = h.drain.near, h.drain.far
    assert learnt != before
    visit(h, 960.0, 0, 0)
    visit(h, 980.0, 100 * KIB, 100 * KIB)
    assert (h.drain.near, h.drain.far) == learnt


def fed_by_others(host: Host, now: float) -> None:
    visit(host, now, 0, 330 * KIB)
    visit(host, now + 10.0, 0, 320 * KIB)
    visit(host, now + 20.0, 0, 350 * KIB)


def test_rises_that_nobody_here_caused_mark_it_as_shared():
    h = host(300 * KIB)
    fed_by_others(h, 20.0)
    assert h.shared_at(40.0)
    assert h.drain.near == pytest.approx(1024)


@pytest.mark.parametrize("odd", [CAPACITY, 330 * KIB])
def test_one_rise_may_be_an_odd_reading(odd):
    h = host(300 * KIB)
    visit(h, 20.0, 0, odd)
    for turn in range(2, 9):
        visit(h, 20.0 * turn, 0, (300 - 20 * turn) * KIB)
    assert not h.shared_at(160.0)


def test_rises_over_what_was_sent_mark_it_as_shared():
    h = host(300 * KIB)
    for now in (1.0, 21.0):
        visit(h, now, 9 * KIB, CAPACITY)
        visit(h, now + 10.0, 0, 502 * KIB)
    assert h.shared_at(31.0)


def test_a_rise_below_what_was_sent_is_a_steep_drain_or_a_host_that_does_not_take():
    """Whoever else adds to it can only leave it higher, or full."""
    h = host(300 * KIB)
    for turn in range(9):
        visit(h, turn + 1.0, 120 * KIB, 310 * KIB - turn * KIB)
    assert not h.shared_at(9.0)


def test_a_shared_host_gets_headroom_and_a_fresh_look():
    h = host(300 * KIB)
    fed_by_others(h, 20.0)
    assert h.room_at(40.0) == 130 * KIB - 1
    assert h.trusted_at(41.0)
    assert not h.trusted_at(43.0)


def test_every_few_readings_it_is_left_alone_to_see_whether_somebody_else_feeds():
    h = host(505 * KIB)
    waits = []
    for turn in range(1, 25):
        now = 20.0 * turn
        visit(h, now, 0, 500 * KIB)
        waits.append((h.look_at - now, h.top_up_at))
    alone = [wait for wait, top_up_at in waits if top_up_at == math.inf]
    assert 2 <= len(alone) <= 3
    assert max(alone) < 10.0 < min(wait for wait, top_up_at in waits[3:] if top_up_at < math.inf)


def test_sharing_is_forgotten_when_it_does_not_show_any_more():
    h = host(300 * KIB)
    fed_by_others(h, 20.0)
    assert not h.shared_at(641.0)


def test_a_burst_between_two_looks_is_drain_and_not_sharing():
    h = host(500 * KIB)
    visit(h, 20.0, 0, 100 * KIB)
    assert not h.shared_at(20.0)
    assert h.drain.possible >= 20 * KIB


@pytest.mark.parametrize("sent", [0, 30 * KIB])
def test_one_odd_reading_is_not_taken_for_somebody_else_who_feeds(sent):
    h = host(400 * KIB)
    for turn in range(1, 4):
        visit(h, 20.0 * turn, 0, (400 - 20 * turn) * KIB)
    visit(h, 80.0, 0, 0)
    assert h.look_at <= 85.0
    visit(h, 82.0, sent, 318 * KIB + sent)
    assert not h.shared_at(82.0)
    assert h.drain.near == pytest.approx(1024, rel=0.01)


def test_steep_falls_and_rises_over_where_they_came_from_are_somebody_else_who_feeds():
    h = host(400 * KIB)
    for now in (20.0, 40.0):
        visit(h, now, 0, 100 * KIB)
        visit(h, now + 2.0, 0, 420 * KIB + int(now) * KIB)
    assert h.shared_at(42.0)


def test_a_host_that_takes_nothing_is_held_back_longer_and_longer():
    h = host(100 * KIB)
    holds = []
    for turn in range(1, 7):
        visit(h, float(turn), 120 * KIB, 100 * KIB)
        holds.append(h.refill_at - turn)
    assert holds == [0.0, 5.0, 10.0, 20.0, 40.0, 60.0]
    visit(h, 100.0, 120 * KIB, 200 * KIB)
    assert h.refill_at == 100.0


@pytest.mark.parametrize(
    ("capacity", "available", "low"), [(0, 0, False), (9, 9, False), (9, 8, True)]
)
def test_a_host_that_is_full_is_not_low_wherever_its_watermark_is(capacity, available, low):
    h = Host(("vc", "h"), Group(1000), serial=1, contact_at=0.0)
    h.take_reading(Reading(capacity, available, capacity, 60), 0.0)
    h.schedule(0.0, Policy())
    assert h.may_be_low_at(100.0) is low


def test_looks_do_not_put_off_the_end_of_a_hold():
    h = host(100 * KIB)
    for turn in (1.0, 2.0):
        visit(h, turn, 120 * KIB, 100 * KIB)
    held_until = h.refill_at
    assert held_until == 7.0
    for now in range(3, 7):
        visit(h, now, 0, 100 * KIB)
        assert h.refill_at == held_until
    visit(h, 8.0, 0, 100 * KIB)
    assert h.refill_at == 8.0


@pytest.mark.parametrize("late_seconds", [0.0, 1.0, 4.0])
def test_a_host_that_uses_what_it_gets_before_the_answer_is_here_is_not_held_back(late_seconds):
    """A twentieth of a second for the level to be told, and the answer comes later."""
    rate, level, now = 20 * KIB, 30 * KIB, 0.0
    h = host(level)
    for _ in range(40):
        h.visit_bytes, h.begun_at = 25 * KIB if level < 60 * KIB else 0, now
        level = max(0, level + h.visit_bytes - rate // 20)
        h.take_reading(reading(level), now + 0.05 + late_seconds)
        h.visit_bytes = None
        now += 0.05 + late_seconds
        level = max(0, level - int(rate * late_seconds))
        h.schedule(now, Policy())
        assert h.taking.held_until <= now


def test_little_by_little_a_host_that_takes_nothing_is_noticed_too():
    h, now, sent = host(0), 0.0, 0
    while now < 60.0:
        visit(h, now, 6 * KIB, 0)
        sent += 6 * KIB
        now = max(now + 0.01, h.refill_at)
    assert sent < 60 * 36 * KIB / 4


def test_a_full_host_that_takes_nothing_any_more_is_not_taken_to_use_what_it_is_sent():
    """Each look finds that it uses little, each second visit that as much again is gone at once."""
    h, now = host(506 * KIB), 0.0
    for turn in range(1, 11):
        room, now = (6 + 2 * turn) * KIB, 18.0 * turn
        visit(h, now, room, CAPACITY - room)
        visit(h, now + 0.02, room, CAPACITY - room)
    assert h.taking.held_until > now
    assert h.drain.peak < 4 * KIB


def test_nothing_is_learnt_across_an_unknown_fate():
    h = host(300 * KIB)
    h.set_back(HostState.UNCERTAIN, "")
    visit(h, 20.0, 0, 100 * KIB)
    assert h.drain == DrainEstimate()


def test_a_changed_capacity_is_no_drain():
    h = host(300 * KIB)
    h.take_reading(Reading(612 * KIB, 10, 100, 70), 20.0)
    assert h.drain == DrainEstimate()
    assert h.room_at(20.0) == 612 * KIB - 12
