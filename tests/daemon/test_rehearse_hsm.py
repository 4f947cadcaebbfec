"""The gate that lets a rehearsal's HSM be slow or away: what it gives and says of itself."""

import pytest

from bridge.daemon.rehearse_hsm import HsmGate
from bridge.source.account import Account


class Ring:
    """A source that is always full but for what was taken; requests end when told."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.in_flight = self.delivered = 0
        self.callbacks = []

    @property
    def available_bytes(self):
        return self.capacity - self.in_flight

    def take(self, max_raw_bytes):
        self.in_flight += min(max_raw_bytes, self.available_bytes) // 3 * 3
        return max_raw_bytes // 3 * 3 or None

    def end(self):
        self.delivered += self.in_flight
        self.in_flight = 0

    def account(self):
        return Account(in_flight=self.in_flight, delivered=self.delivered)

    def on_data(self, callback):
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def capacity_bytes(self):
        return self.capacity

    def most_bytes(self):
        return self.capacity

    def rate_bytes_per_second(self):
        return 1e9


class Gated:
    def __init__(self, capacity=3000):
        self.now = 0.0
        self.ring = Ring(capacity)
        self.gate = HsmGate(self.ring, self.ring, lambda: self.now)


def test_without_a_limit_the_gate_is_open():
    it = Gated()
    assert it.gate.available_bytes == 3000
    assert it.gate.take(300) == 300
    assert it.gate.rate_bytes_per_second() == 1e9


def test_an_outage_leaves_what_the_ring_holds_and_no_more():
    it = Gated()
    it.gate.take(600)
    it.gate.set_limit(0.0)
    it.now = 100.0
    assert it.gate.available_bytes == 2400
    it.ring.end()
    assert it.gate.available_bytes == 2400
    it.gate.take(2000)
    it.ring.end()
    it.now = 1000.0
    assert it.gate.available_bytes == 402  # 1998 were taken: whole groups
    it.gate.set_limit(None)
    assert it.gate.available_bytes == 3000


def test_a_slow_hsm_fills_the_ring_until_it_is_full():
    it = Gated()
    it.gate.set_limit(0.0)
    it.gate.take(3000)
    it.ring.end()
    it.gate.set_limit(30.0)
    it.now = 10.0
    assert it.gate.available_bytes == 300
    it.gate.take(300)
    it.now = 1000.0
    assert it.gate.available_bytes == 2700  # those in flight still have their place in the ring
    it.ring.end()
    it.now = 1001.0
    assert it.gate.available_bytes == 2730


def test_the_rate_that_shows_is_the_limited_one_and_waiters_are_told():
    it = Gated()
    it.gate.set_limit(0.0)
    it.gate.take(3000)
    it.ring.end()
    told = []
    forget = it.gate.on_data(lambda: told.append(it.now))
    it.gate.tick()
    assert told == []
    it.gate.set_limit(30.0)
    for tenth in range(1, 100):
        it.now = tenth / 10
        it.gate.tick()
    assert it.gate.rate_bytes_per_second() == pytest.approx(30, rel=0.05)
    assert len(told) == 99
    forget()
    it.gate.tick()
    assert len(told) == 99
    assert it.ring.callbacks == []
