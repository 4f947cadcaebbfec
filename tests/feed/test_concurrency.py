"""The gate: few requests at first, more while the vCenter keeps up, fewer when it does not."""

import pytest

from bridge.feed.concurrency import Gate, Outcome


def turn(
    gate: Gate, now: float, outcome: Outcome, seconds: float | None = 0.01, n: int = 1
) -> None:
    """End `n` requests, with the gate full beforehand."""
    while gate.in_flight < gate.limit:
        gate.begun()
    for _ in range(n):
        gate.ended(now, outcome, seconds)


def test_starts_low_and_grows_to_the_ceiling_and_no_further():
    gate = Gate(32)
    assert gate.limit == 8
    for _ in range(2000):
        turn(gate, 0.0, Outcome.GOOD)
    assert gate.limit == 32


def test_does_not_grow_while_nobody_needs_it():
    gate = Gate(32)
    for _ in range(1000):
        gate.begun()
        gate.ended(0.0, Outcome.GOOD, 0.01)
    assert gate.limit == 8


def test_a_ceiling_below_the_start_is_kept():
    assert Gate(3).limit == 3


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.LOST])
def test_trouble_halves_the_limit_once_however_many_requests_tell_of_it(outcome):
    gate = Gate(32)
    turn(gate, 10.0, outcome, n=8)
    assert gate.limit == 4
    turn(gate, 12.0, outcome)
    assert gate.limit == 2


def test_never_closes_for_good():
    gate = Gate(32)
    for second in range(100):
        turn(gate, float(2 * second), Outcome.LOST)
    assert gate.limit == 1
    assert gate.in_flight == 0 or gate.limit >= 1
    gate.in_flight = 0
    assert gate.is_open(1000.0)


def test_one_host_that_is_away_says_nothing_of_the_vcenter():
    gate = Gate(32)
    for _ in range(10):
        turn(gate, 0.0, Outcome.UNAVAILABLE)
        for _ in range(3):
            turn(gate, 0.0, Outcome.NEUTRAL)
    assert gate.limit == 8


def test_many_hosts_away_at_once_do():
    gate = Gate(32)
    for _ in range(20):
        turn(gate, 0.0, Outcome.UNAVAILABLE)
    assert gate.limit < 8


def test_growing_latency_shrinks_it_and_a_uniformly_slow_vcenter_does_not():
    slow = Gate(32)
    for _ in range(300):
        turn(slow, 0.0, Outcome.GOOD, 0.3)
    assert slow.limit > 8
    queueing = Gate(32)
    for _ in range(20):
        turn(queueing, 0.0, Outcome.GOOD, 0.01)
    for second in range(20):
        turn(queueing, 2.0 + 2 * second, Outcome.GOOD, 0.6)
    assert queueing.limit < 8


def test_a_pause_is_kept_and_only_ever_extended():
    gate = Gate(32)
    gate.pause(5.0)
    gate.pause(3.0)
    assert not gate.is_open(4.0)
    assert gate.opens_at() == 5.0
    assert gate.is_open(5.0)


def test_a_full_gate_opens_by_a_request_that_ends():
    gate = Gate(2)
    gate.begun()
    gate.begun()
    assert not gate.is_open(0.0)
    assert gate.opens_at() is None
    gate.ended(0.0, Outcome.GOOD, 0.01)
    assert gate.is_open(0.0)


def test_another_ceiling_is_kept_at_once_or_grown_to():
    gate = Gate(32)
    gate.change(3)
    assert gate.limit == 3
    gate.change(64)
    assert gate.limit == 3
    for _ in range(4000):
        turn(gate, 0.0, Outcome.GOOD)
    assert gate.limit == 64


def test_a_pause_whose_reason_is_gone_ends():
    gate = Gate(32)
    gate.pause(300.0)
    assert not gate.is_open(1.0)
    gate.resume()
    assert gate.is_open(1.0)
