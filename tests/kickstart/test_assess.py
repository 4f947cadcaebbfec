"""What failures mean for a payload."""

import random
import time

import pytest

from bridge.kickstart import ais31
from bridge.kickstart.assess import assess


def some_bytes(n_bytes):
    return random.Random(n_bytes).randbytes(n_bytes)


@pytest.fixture
def good():
    return bytearray(some_bytes(600_000))


def test_good_bytes_pass(good):
    tests = assess(good)
    assert tests.problem is None
    assert (tests.n_windows, tests.n_blocks, tests.n_autocorrelated) == (1, 240, 64)
    assert tests.warning is None


def test_one_block_that_fails_is_chance(good):
    good[10 * 2500 : 10 * 2500 + 5] = bytes(5)
    tests = assess(good)
    assert {failure.offset for failure in tests.failures} == {25_000}
    assert tests.problem is None
    assert "the block at byte 25,000 failed T4; that is chance" in tests.warning
    assert "one of 7" in tests.warning


def test_two_blocks_that_fail_are_not(good):
    for block in (10, 239):
        good[block * 2500 : block * 2500 + 5] = b"\xff" * 5
    tests = assess(good)
    assert tests.problem.startswith("2 of 241 blocks failed the output tests (T4)")
    assert tests.warning is None


def test_one_block_that_fails_several_tests_counts_once(good):
    good[5000:7500] = some_bytes(1250).hex().encode()
    tests = assess(good)
    assert len(tests.failures) > 1
    assert tests.n_failed == 1


def test_a_repetition_far_away_is_found(good):
    good[0:16] = good[599_984:600_000]
    assert assess(good).problem.startswith(
        "pieces of 16 bytes are there more than once (1 of 37,500)"
    )


def test_t0_fails_a_payload_with_two_equal_pairs(good):
    good[6:12] = good[600:606]
    assert "failed T0" in assess(good).warning
    good[12:18] = good[606:612]
    assert assess(good).problem is not None


@pytest.mark.parametrize("n_bytes", [0, 1, 15, 16, 2499, 2500, 393_215])
def test_short_bytes_are_tested_as_far_as_they_go(n_bytes):
    tests = assess(some_bytes(n_bytes))
    assert (tests.n_windows, tests.n_blocks) == (0, n_bytes // 2500)
    assert tests.problem is None


def test_the_largest_payload_in_reasonable_time():
    raw = some_bytes(10_000_000)
    begin = time.process_time()
    tests = assess(raw)
    assert time.process_time() - begin < 30
    assert tests.problem is None
    assert tests.n_blocks * ais31.BLOCK_BYTES == len(raw)
