"""What fits into a request: found by refusals, and what it costs to ask whether it is still so."""

import pytest

from bridge.feed.fitting import Fitting

KIB = 1024
MOST = 256 * KIB
DAY = 86_400.0


def spend(fitting, limit_bytes, seconds, wanted_bytes=lambda n: MOST, start=0.0):
    """Make requests of up to what is wanted, one a second; when how much was refused."""
    refused = []
    for n in range(int(seconds)):
        now = start + n
        size = min(wanted_bytes(n), fitting.allowed_bytes(now))
        size -= size % 3
        fitting.begun(size, now)
        if size > limit_bytes:
            fitting.refused(size, now)
            refused.append((now, size))
        else:
            fitting.accepted(size, now)
    return refused


def test_nothing_is_tried_that_was_not_configured():
    fitting = Fitting(MOST)
    assert not spend(fitting, MOST, 5000)
    assert fitting.allowed_bytes(5000.0) == MOST


def test_a_limit_is_found_by_halving_and_kept():
    fitting = Fitting(MOST)
    refused = spend(fitting, 50 * KIB, 600)
    assert len(refused) == 3
    assert 30 * KIB <= fitting.allowed_bytes(601.0) <= 50 * KIB


@pytest.mark.parametrize("limit_bytes", [12 * KIB, 50 * KIB, 64 * KIB, 130 * KIB, 255 * KIB])
def test_a_limit_that_stays_costs_little_and_less_and_less(limit_bytes):
    fitting = Fitting(MOST)
    spend(fitting, limit_bytes, 599)
    first = spend(fitting, limit_bytes, DAY, start=599.0)
    second = spend(fitting, limit_bytes, DAY, start=599.0 + DAY)
    third = spend(fitting, limit_bytes, DAY, start=599.0 + 2 * DAY)
    assert len(first) <= 8
    assert len(second) <= 1
    assert len(third) <= 1
    assert all(size <= 2 * limit_bytes for _, size in first + second + third)


def test_refusals_of_requests_that_were_under_way_together_count_once():
    fitting = Fitting(MOST)
    for _ in range(32):
        fitting.begun(MOST - 1, 0.0)
    for _ in range(32):
        fitting.refused(MOST - 1, 1.0)
    assert fitting.allowed_bytes(600.0) == MOST // 2 - 1
    assert fitting.allowed_bytes(601.0) == MOST - 2


def test_one_request_tries_a_larger_size_and_nobody_beside_it():
    fitting = Fitting(MOST)
    fitting.refused(MOST, 0.0)
    fitting.begun(200 * KIB, 700.0)
    assert fitting.allowed_bytes(700.0) == MOST // 2
    assert fitting.allowed_bytes(1200.0) == MOST // 2  # its fate is not known yet, or never
    fitting.refused(200 * KIB, 701.0)
    assert fitting.allowed_bytes(1900.0) == MOST // 2  # not less: that much fitted
    assert fitting.allowed_bytes(1901.0) == MOST


def test_a_limit_that_is_gone_is_found_out_within_the_current_pause():
    fitting = Fitting(MOST)
    spend(fitting, 12 * KIB, 600)
    assert not spend(fitting, MOST, 10, start=600.0 + 32)
    assert fitting.allowed_bytes(650.0) == MOST
    assert len(spend(fitting, 12 * KIB, 20, start=660.0)) == 5


def test_requests_that_nobody_wants_larger_are_no_trials():
    fitting = Fitting(MOST)
    spend(fitting, 50 * KIB, 599)
    assert not spend(fitting, 50 * KIB, DAY, wanted_bytes=lambda n: 3 * KIB, start=599.0)


def test_little_is_not_made_less():
    fitting = Fitting(MOST)
    for n in range(20):
        fitting.refused(9, float(n))
    assert fitting.allowed_bytes(20.0) == 12 * KIB
    small = Fitting(6000)
    small.refused(6000, 0.0)
    assert small.allowed_bytes(1.0) == small.allowed_bytes(10_000.0) == 6000
