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
    """Answers looks in virtual time, at most `workers` at once; each takes what `seconds` says."""

    def __init__(self, ceiling, seconds, workers=10**6):
        self.gate = Gate(ceiling)
        self.seconds = seconds
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
            if not self.gate.is_open(self.now) or (self._answers and self._answers[0][0] <= due):
                self.now, asked = heapq.heappop(self._answers)
                self.gate.ended(self.now, Outcome.GOOD, self.now - asked)
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
        turn(server.gate, float(second), Outcome.LOST)
    server.gate.in_flight = 0
    server._answers.clear()
    assert server.gate.limit == 1
    server.now = 17.0
    server.run(40.0)
    assert server.gate.limit > 8
