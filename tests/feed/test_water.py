import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.feed.water import Need, common_seconds_to_dry

needs = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(0, 2000), st.floats(1, 1e5)),
    min_size=1,
    max_size=20,
)


def cost(needs: list[Need], level: float) -> float:
    return sum(rate * max(0.0, min(level, full) - to_dry) for to_dry, full, rate in needs)


def test_the_lowest_is_lifted_to_the_next_and_then_both():
    two = [(10, 1000, 100), (20, 1000, 300)]
    assert common_seconds_to_dry(two, 500) == pytest.approx(15)
    assert common_seconds_to_dry(two, 1000) == pytest.approx(20)
    assert common_seconds_to_dry(two, 1400) == pytest.approx(21)


def test_nobody_is_lifted_over_full():
    two = [(10, 12, 100), (20, 1000, 100)]
    assert common_seconds_to_dry(two, 300) == pytest.approx(21)


def test_enough_for_all_is_infinite():
    assert common_seconds_to_dry([(0, 10, 10)], 101) == math.inf
    assert common_seconds_to_dry([], 0) == math.inf


def test_nothing_lifts_nobody():
    assert common_seconds_to_dry([(7, 10, 10), (9, 10, 10)], 0) == pytest.approx(7)


def test_what_comes_in_lasts_longer_than_what_is_there():
    two = [(10, math.inf, 100), (20, math.inf, 300)]
    assert common_seconds_to_dry(two, 0, inflow=100) == pytest.approx(7000 / 300)
    assert common_seconds_to_dry(two, 1000, inflow=200) == pytest.approx(40)
    assert common_seconds_to_dry(two, 0, inflow=400) == math.inf


@given(needs, st.floats(0, 1e6), st.floats(0, 1e5))
def test_it_is_the_clairvoyant_bound(needs, budget, inflow):
    endless = [(to_dry, math.inf, rate) for to_dry, _, rate in needs]
    bound = common_seconds_to_dry(endless, budget, inflow=inflow)
    for seconds in (0.5, 0.9, 0.999) if bound < 1e6 else ():
        assert cost(endless, bound * seconds) <= (budget + inflow * bound * seconds) * 1.001 + 1
    if bound == math.inf:
        assert sum(rate for _, _, rate in needs) <= inflow * 1.001
    else:
        assert cost(endless, bound) == pytest.approx(budget + inflow * bound, rel=1e-3, abs=1)


@given(needs, st.floats(0, 1e8))
def test_it_spends_the_budget_and_no_more(needs, budget):
    level = common_seconds_to_dry(needs, budget)
    if level == math.inf:
        assert cost(needs, 1e9) <= budget * (1 + 1e-6) + 1e-3
    else:
        assert cost(needs, level) == pytest.approx(budget, rel=1e-6, abs=1e-2)
