"""The pool's arithmetic: exact, conserving, and the same whatever the steps of time are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.twin.drain import (
    BurstyDrain,
    ConstantDrain,
    DrainProfile,
    HeavyTailedDrain,
    make_drain,
)
from bridge.twin.events import EventId
from bridge.twin.pool import DEFAULT_CAPACITY_BYTES, Pool

CAPACITY = DEFAULT_CAPACITY_BYTES


class Logged:
    def __init__(self) -> None:
        self.events: list[tuple[EventId, float]] = []

    def __call__(self, event_id: EventId, moment: float) -> None:
        self.events.append((event_id, moment))


def pool_of(rate: float, level: int = CAPACITY, log: Logged | None = None, **more) -> Pool:
    return Pool(ConstantDrain(rate), now=0.0, level_bytes=level, on_event=log or Logged(), **more)


def assert_conserved(pool: Pool) -> None:
    gained = pool.initial_bytes + pool.accepted_bytes + pool.adjusted_bytes
    assert gained == pool.level_bytes + pool.drained_bytes
    assert 0 <= pool.lowest_bytes <= pool.level_bytes <= pool.capacity_bytes


def test_a_default_pool_says_what_the_contract_expects():
    assert pool_of(0).read(0.0) == (524_288, 524_288, 104_857, 60)


def test_drains_by_time():
    pool = pool_of(1024)
    assert pool.read(10.0).available_bytes == CAPACITY - 10 * 1024
    assert pool.read(10.0).available_bytes == CAPACITY - 10 * 1024


def test_accepts_what_has_room_and_discards_the_rest():
    pool = pool_of(0, level=CAPACITY - 100)
    added = pool.add(250, 0.0)
    assert (added.available_before_bytes, added.room_bytes, added.accepted_bytes) == (
        CAPACITY - 100,
        100,
        100,
    )
    assert added.levels.available_bytes == CAPACITY
    assert pool.discarded_bytes == 150
    assert_conserved(pool)


def test_running_low_and_dry_is_logged_at_the_exact_moments():
    log = Logged()
    pool = pool_of(1000, level=200_000, log=log, inactive_source_timeout_seconds=10_000)
    pool.advance(500.0)
    assert log.events == [
        (EventId.AVAILABLE_LOW, pytest.approx(95.143)),
        (EventId.MEMORY_EMPTY, pytest.approx(200.0)),
    ]
    assert pool.unmet_bytes == 300_000
    assert pool.dry_count == 1
    pool.add(10, 500.0)
    assert pool.dry_spells[0].start_seconds == pytest.approx(200.0)
    assert pool.dry_spells[0].end_seconds == 500.0
    assert_conserved(pool)


def test_low_is_logged_once_until_the_level_was_above_the_watermark_again():
    log = Logged()
    pool = pool_of(1000, level=110_000, log=log, inactive_source_timeout_seconds=10_000)
    pool.advance(10.0)
    pool.add(1000, 10.0)
    pool.advance(20.0)
    assert [it for it, _ in log.events] == [EventId.AVAILABLE_LOW]
    pool.add(100_000, 20.0)
    pool.advance(120.0)
    assert [it for it, _ in log.events].count(EventId.AVAILABLE_LOW) == 2


def test_a_silent_source_is_logged_once_and_any_contact_takes_it_back():
    log = Logged()
    pool = pool_of(0, log=log)
    pool.advance(59.9)
    assert log.events == []
    pool.advance(500.0)
    assert log.events == [(EventId.SOURCE_DISCONNECTED, 60.0)]
    pool.read(500.0)
    pool.add(1, 530.0)
    pool.advance(589.0)
    assert len(log.events) == 1
    pool.advance(600.0)
    assert log.events[1:] == [(EventId.SOURCE_DISCONNECTED, 590.0)]


def test_a_pool_of_a_host_that_is_off_stands_still():
    log = Logged()
    pool = pool_of(1000, log=log)
    pool.set_running(False, 10.0)
    pool.advance(1000.0)
    assert pool.level_bytes == CAPACITY - 10_000
    assert log.events == []
    pool.set_running(True, 1000.0)
    assert pool.read(1010.0).available_bytes == CAPACITY - 20_000


def test_setting_the_level_is_kept_apart_from_what_was_fed():
    pool = pool_of(0)
    pool.set_level(0, 5.0)
    assert (pool.adjusted_bytes, pool.accepted_bytes, pool.dry_count) == (-CAPACITY, 0, 1)
    pool.set_level(10, 7.0)
    assert pool.dry_spells[0].end_seconds == 7.0
    assert_conserved(pool)
    with pytest.raises(ValueError, match="level"):
        pool.set_level(CAPACITY + 1, 8.0)


PROFILES = st.sampled_from(list(DrainProfile))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2 * CAPACITY)),
        st.tuples(st.just("wait"), st.floats(0, 300, allow_nan=False)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("set"), st.integers(0, CAPACITY)),
    ),
    max_size=40,
)


@given(
    profile=PROFILES,
    rate=st.floats(0, 50_000, allow_nan=False),
    seed=st.integers(0, 2**32),
    level=st.integers(0, CAPACITY),
    steps=STEPS,
)
def test_conserves_every_byte_and_keeps_to_its_bounds(profile, rate, seed, level, steps):
    log = Logged()
    pool = Pool(make_drain(profile, rate, seed), now=0.0, level_bytes=level, on_event=log)
    now = 0.0
    sent = 0
    for kind, value in steps:
        if kind == "wait":
            now += value
            pool.advance(now)
        elif kind == "read":
            pool.read(now)
        elif kind == "set":
            pool.set_level(value, now)
        else:
            sent += value
            added = pool.add(value, now)
            assert added.accepted_bytes == min(value, added.room_bytes)
            assert added.room_bytes == CAPACITY - added.available_before_bytes
        assert_conserved(pool)
    assert pool.accepted_bytes + pool.discarded_bytes == sent
    moments = [moment for _, moment in log.events]
    assert all(0 <= it <= now for it in moments)
    assert pool.dry_count == len(pool.dry_spells)


@given(
    profile=PROFILES,
    rate=st.floats(1, 5000, allow_nan=False),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.floats(0, 200, allow_nan=False), max_size=20),
)
def test_looking_often_does_not_change_what_is_drained(profile, rate, seed, cuts):
    drain = make_drain(profile, rate, seed)
    once, often = (Pool(drain, now=0.0, level_bytes=CAPACITY, on_event=Logged()) for _ in range(2))
    for moment in sorted(cuts):
        often.advance(moment)
    once.advance(200.0)
    often.advance(200.0)
    assert abs(once.level_bytes - often.level_bytes) <= 1


@pytest.mark.parametrize("profile", list(DrainProfile))
def test_every_profile_takes_its_mean_in_the_long_run(profile):
    drain = make_drain(profile, 1000.0, seed=7)
    at, demand = 0.0, 0.0
    while at < 200_000.0:
        rate, until = drain.flow(at)
        assert until > at
        end = min(until, 200_000.0)
        demand += rate * (end - at)
        at = end
    assert demand / 200_000.0 == pytest.approx(1000.0, rel=0.05)


@pytest.mark.parametrize("kind", [BurstyDrain, HeavyTailedDrain])
def test_uneven_drains_depend_on_time_and_seed_alone(kind):
    moments = [i * 0.37 for i in range(2000)]
    flows = [kind(1000.0, 1).flow(it) for it in moments]
    assert flows == [kind(1000.0, 1).flow(it) for it in moments]
    assert flows != [kind(1000.0, 2).flow(it) for it in moments]
    assert len({it.bytes_per_second for it in flows}) > 1


@given(
    kind=st.sampled_from([BurstyDrain, HeavyTailedDrain]),
    at=st.floats(0, 1e9, allow_nan=False),
)
def test_a_flow_always_ends_later_than_it_begins(kind, at):
    assert kind(1.0, 3).flow(at).until_seconds > at


@pytest.mark.parametrize("rate", [-1.0, math.inf, math.nan])
def test_a_drain_that_cannot_be_is_refused(rate):
    with pytest.raises(ValueError, match="drain"):
        make_drain(DrainProfile.CONSTANT, rate, 0)
