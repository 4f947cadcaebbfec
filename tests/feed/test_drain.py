import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.feed.drain import FLOOR_BYTES_PER_SECOND, PRIOR_BYTES_PER_SECOND, DrainEstimate


def after(*rates: float, seconds: float = 20.0) -> DrainEstimate:
    drain = DrainEstimate()
    for rate in rates:
        drain.add(rate * seconds, seconds)
    return drain


def test_a_new_host_is_taken_to_use_what_most_do_and_maybe_much_more():
    drain = DrainEstimate()
    assert drain.near == drain.far == PRIOR_BYTES_PER_SECOND
    assert drain.possible > 10 * PRIOR_BYTES_PER_SECOND
    assert drain.until_used(1000.0) == PRIOR_BYTES_PER_SECOND


@pytest.mark.parametrize("rate", [10.0, 500.0, 1024.0, 20_000.0])
def test_it_finds_a_constant_drain(rate):
    drain = after(*[rate] * 60)
    assert drain.near == pytest.approx(rate, rel=0.01)
    assert drain.far == pytest.approx(rate, rel=0.02, abs=20.0)
    assert drain.peak == pytest.approx(rate, rel=0.02, abs=40.0)
    assert drain.until_used(100 * rate) == pytest.approx(rate, rel=0.02, abs=40.0)


def test_a_steep_constant_drain_is_known_after_few_readings():
    drain = after(*[20_000.0] * 3, seconds=2.0)
    assert drain.until_used(100_000.0) > 15_000.0


@pytest.mark.parametrize("odd", [0.0, 1e6])
def test_one_odd_reading_moves_little(odd):
    calm, shaken = after(*[800.0] * 20), after(*[800.0] * 20, odd)
    assert shaken.near == pytest.approx(calm.near, rel=0.001)
    assert shaken.far == pytest.approx(calm.far, rel=0.3)


def test_one_steep_reading_makes_it_wary_until_the_next():
    drain = after(*[800.0] * 10, 50_000.0)
    assert drain.possible >= 50_000.0
    assert drain.unsettled
    drain.add(800.0 * 2, 2.0)
    assert not drain.unsettled
    assert drain.possible < 5000.0


def test_an_odd_reading_hardly_shortens_what_a_level_is_thought_to_last():
    calm = after(*[800.0] * 20)
    shaken = after(*[800.0] * 20, 25_000.0, 0.0, *[800.0] * 3)
    assert shaken.until_used(300_000.0) < 1.5 * calm.until_used(300_000.0)


@given(st.floats(1, 2e4), st.integers(4, 40), st.floats(0, 1e9))
def test_no_single_reading_moves_an_estimate_far(rate, readings, odd):
    calm, shaken = after(*[rate] * readings), after(*[rate] * readings, odd)
    most = 4.0 * max(calm.near, calm.far, PRIOR_BYTES_PER_SECOND)
    assert shaken.near == pytest.approx(after(*[rate] * (readings + 1)).near, rel=1e-6)
    assert abs(shaken.far - calm.far) <= 0.25 * most
    assert shaken.peak <= max(calm.peak, most) * 1.001


def test_what_others_burst_to_counts_for_a_low_level_and_hardly_for_a_high_one():
    drain = after(*[500.0] * 30)
    drain.others = 5000.0
    assert drain.possible == 5000.0
    assert drain.until_used(10_000.0) > 2500.0
    assert drain.until_used(500_000.0) < 900.0


def test_a_burst_that_was_borne_out_is_remembered_when_the_level_is_low():
    drain = after(*[500.0] * 10, 5000.0, 5000.0, *[500.0] * 45)
    assert drain.until_used(10_000.0) > 2000.0
    assert drain.until_used(500_000.0) < 900.0


def test_two_steep_readings_are_believed():
    assert after(*[800.0] * 10, 5000.0, 5000.0, seconds=3.0).near > 3500.0


def test_it_rises_faster_than_it_falls():
    up = after(*[1000.0] * 10, 2000.0, 2000.0).near - 1000.0
    down = 2000.0 - after(*[2000.0] * 10, 1000.0, 1000.0).near
    assert up > down > 0.0


def test_it_falls_still_slower_when_somebody_else_feeds():
    open_, hidden = after(*[2000.0] * 10), after(*[2000.0] * 10)
    for _ in range(4):
        open_.add(0.0, 20.0)
        hidden.add(0.0, 20.0, hidden=True)
    assert open_.near < hidden.near < 2001.0
    assert open_.far <= hidden.far < 2001.0


def test_a_burst_counts_for_a_low_level_and_hardly_for_a_high_one():
    drain = after(*[500.0] * 30, 5000.0)
    assert drain.until_used(10_000.0) > 2500.0
    assert drain.until_used(500_000.0) < 900.0


def test_readings_close_together_make_one_sample():
    drain = DrainEstimate()
    for _ in range(9):
        drain.add(5000.0, 0.1)
    assert drain == DrainEstimate(_used_bytes=drain._used_bytes, _seconds=drain._seconds)


def test_a_skipped_interval_leaves_no_trace():
    drain, other = DrainEstimate(), DrainEstimate()
    drain.add(1e9, 0.5)
    drain.skip()
    drain.add(1024.0 * 20, 20.0)
    other.add(1024.0 * 20, 20.0)
    assert drain == other


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e4), st.booleans()), max_size=30),
    st.floats(0, 1e7),
)
def test_it_is_always_finite_and_never_zero(intervals, level):
    drain = DrainEstimate()
    for used, seconds, hidden in intervals:
        drain.add(used, seconds, hidden=hidden)
        assert FLOOR_BYTES_PER_SECOND <= drain.near < 1e10
        assert FLOOR_BYTES_PER_SECOND <= drain.far < 1e10
        assert FLOOR_BYTES_PER_SECOND * 0.99 <= drain.until_used(level) < 1e10
