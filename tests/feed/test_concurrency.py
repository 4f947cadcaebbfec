"""The gate: few requests at first, more while the vCenter keeps up, fewer when it does not."""

import heapq
import random

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


def test_what_vcenter_says_of_itself_halves_the_limit_once_however_often_it_says_so():
    gate = Gate(32)
    turn(gate, 10.0, Outcome.THROTTLED, n=8)
    assert gate.limit == 4
    turn(gate, 12.0, Outcome.THROTTLED)
    assert gate.limit == 2


def test_when_nobody_answers_any_more_it_begins_with_fewer():
    gate = Gate(32)
    gate.deserted(10.0)
    gate.deserted(10.1)
    assert gate.limit == 4


def test_never_closes_for_good():
    gate = Gate(32)
    for second in range(100):
        turn(gate, float(2 * second), Outcome.THROTTLED)
    assert gate.limit == 1
    assert gate.in_flight == 0 or gate.limit >= 1
    gate.in_flight = 0
    assert gate.is_open(1000.0)


@pytest.mark.parametrize("outcome", [Outcome.UNAVAILABLE, Outcome.LOST])
def test_one_host_or_connection_in_trouble_says_nothing_of_the_vcenter(outcome):
    gate = Gate(32)
    for _ in range(10):
        turn(gate, 0.0, outcome)
        for _ in range(3):
            turn(gate, 0.0, Outcome.NEUTRAL)
    assert gate.limit == 8


@pytest.mark.parametrize("outcome", [Outcome.UNAVAILABLE, Outcome.LOST])
def test_many_in_trouble_at_once_do(outcome):
    gate = Gate(32)
    for _ in range(20):
        turn(gate, 0.0, outcome)
    assert gate.limit < 8


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


class Server:
    """Answers looks in virtual time, at most `workers` at once; each takes what `seconds` says.

    `outcome` says what else comes of a look, given the number in flight; it asks for a second's
    pause when it is too many requests.
    """

    def __init__(self, ceiling, seconds, workers=10**6, outcome=lambda in_flight: Outcome.GOOD):
        self.gate = Gate(ceiling)
        self.seconds = seconds
        self.outcome = outcome
        self.now = 0.0
        self._free = [0.0] * min(workers, ceiling)
        self._answers = []

    def run(self, until, hosts_per_second=10**6):
        """Look as often as the gate lets, and at most so often; returns looks per second."""
        begun_at, n_looks, due = self.now, 0, self.now
        while self.now < until:
            while self.gate.is_open(self.now) and due <= self.now:
                self.gate.begun()
                due = max(due, self.now - 1.0) + 1.0 / hosts_per_second
                start = max(self.now, heapq.heappop(self._free))
                end = start + self.seconds()
                heapq.heappush(self._free, end)
                heapq.heappush(self._answers, (end, self.now))
            if not self._answers:
                self.now = max(due, self.gate.opens_at() or due)
            elif not self.gate.is_open(self.now) or self._answers[0][0] <= due:
                self.now, asked = heapq.heappop(self._answers)
                outcome = self.outcome(self.gate.in_flight)
                if outcome is Outcome.THROTTLED:
                    self.gate.pause(self.now + 1.0)
                self.gate.ended(self.now, outcome, self.now - asked)
                n_looks += 1
            else:
                self.now = due
        return n_looks / (until - begun_at)


@pytest.mark.parametrize("span", [(0.05, 0.05), (0.3, 0.3), (0.05, 0.3)])
def test_a_long_way_is_no_queue_however_its_length_changes(span):
    chance = random.Random(7)
    server = Server(64, lambda: chance.uniform(*span))
    server.run(5.0)
    assert server.gate.limit == 64
    least = 64 / (sum(span) / 2)
    assert server.run(120.0) > 0.9 * least


def test_a_way_that_becomes_longer_is_found_out_within_seconds():
    length = 0.005
    server = Server(64, lambda: length)
    server.run(10.0)
    length = 0.3
    lowest = 64
    for second in range(11, 30):
        server.run(float(second))
        lowest = min(lowest, server.gate.limit)
    assert server.gate.limit > 55
    assert lowest > 30
    length = 0.05
    server.run(60.0)
    assert server.gate.limit == 64


def test_a_queue_of_its_own_is_kept_short():
    server = Server(256, lambda: 0.1, workers=4)
    assert server.run(60.0) > 0.9 * 40
    assert server.gate.limit < 32


def test_a_queue_that_others_make_does_not_close_the_gate():
    length = 0.01
    server = Server(32, lambda: length)
    server.run(10.0, hosts_per_second=100)
    length = 0.25
    assert server.run(120.0, hosts_per_second=100) > 90


def test_a_gate_that_trouble_closed_opens_again_however_long_the_way_is_by_then():
    length = 0.01
    server = Server(32, lambda: length)
    server.run(5.0)
    length = 0.3
    server.run(6.5)
    for second in range(7, 17):
        turn(server.gate, float(second), Outcome.THROTTLED)
    server.gate.in_flight = 0
    server._answers.clear()
    assert server.gate.limit == 1
    server.now = 17.0
    server.run(40.0)
    assert server.gate.limit > 8


def lost_and_away(chance):
    """One look in twelve, whatever vCenter is busy with."""
    kinds = [Outcome.LOST, Outcome.UNAVAILABLE, Outcome.NEUTRAL]
    return lambda in_flight: Outcome.GOOD if chance.random() > 0.08 else chance.choice(kinds)


@pytest.mark.parametrize("seed", range(5))
def test_trouble_of_some_hosts_and_connections_costs_only_their_own_time(seed):
    chance = random.Random(seed)

    def seconds():
        return 0.05 if chance.random() > 0.02 else 10.0  # a host that hangs

    server = Server(32, seconds, outcome=lost_and_away(chance))
    server.run(10.0)
    lowest = 32
    for second in range(11, 120):
        server.run(float(second))
        lowest = min(lowest, server.gate.limit)
    assert lowest >= 30


@pytest.mark.parametrize("seed", range(5))
def test_a_queue_is_kept_short_through_other_trouble(seed):
    chance = random.Random(seed)
    server = Server(256, lambda: 0.1, workers=4, outcome=lost_and_away(chance))
    assert server.run(60.0) > 0.9 * 40
    assert server.gate.limit < 32


def test_a_vcenter_that_refuses_what_is_too_much_is_asked_for_less_and_soon_for_more_again():
    most, refused = 10, 0

    def outcome(in_flight):
        nonlocal refused
        refused += in_flight > most
        return Outcome.GOOD if in_flight <= most else Outcome.THROTTLED

    server = Server(64, lambda: 0.05, outcome=outcome)
    server.run(20.0)
    assert server.gate.limit <= most + 1
    assert refused <= 20 + 64
    most = 64
    server.run(40.0)
    assert server.gate.limit == 64


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.UNAVAILABLE, Outcome.LOST])
def test_trouble_of_all_leaves_one_request_at_a_time_until_it_is_over(outcome):
    server = Server(64, lambda: 0.05)
    server.run(5.0)
    server.outcome = lambda in_flight: outcome
    server.run(20.0)
    assert server.gate.limit == 1
    server.outcome = lambda in_flight: Outcome.GOOD
    server.run(30.0)
    assert server.gate.limit > 15
