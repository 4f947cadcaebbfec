"""How often ideal bits fail: computed, not measured, and compared with what the code says."""

import math

import numpy as np
import pytest

from bridge.kickstart import ais31
from bridge.kickstart.assess import FALSE_ALARMS, Assessment

CLOSE = 0.02


def binomial_outside(n, inside):
    def share(k):
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        return math.exp(ways - n * math.log(2))

    return sum(share(k) for k in range(n + 1) if k not in inside)


def chi_square_above(x, freedom=15):
    """The share above x; a closed form for an odd number of degrees of freedom."""
    term, total = 1.0, 0.0
    for step in range(3, freedom + 1, 2):
        total += term
        term *= x / step
    tail = math.sqrt(2 * x / math.pi) * math.exp(-x / 2) * total
    return math.erfc(math.sqrt(x / 2)) + tail


def runs_distribution(length):
    """Exactly: how many runs of ones of that length (6: or more) there are in a block.

    The generating function of the count, by a transfer matrix whose entries are weighted with z
    where a counted run ends, at roots of unity; their Fourier transform is the distribution.
    """
    size = 4096
    roots = np.exp(2j * np.pi * np.arange(size) / size)
    longest = 7
    step = np.zeros((size, longest + 1, longest + 1), complex)

    def weight(run):
        counted = run == length if length < 6 else run >= 6
        return roots if counted else np.ones(size)

    for run in range(longest + 1):  # 0: the last bit was a zero
        step[:, run, min(run + 1, longest)] += 0.5
        step[:, run, 0] += 0.5 * weight(run)
    power = np.linalg.matrix_power(step, ais31.BLOCK_BITS)
    ends = np.stack([weight(run) for run in range(longest + 1)], axis=1)
    values = (power[:, 0, :] * ends).sum(axis=1)
    return np.fft.fft(values).real / size


def long_run_share():
    """Exactly: the share of blocks with LONG_RUN equal bits in a row."""
    lasting = np.zeros(ais31.LONG_RUN)
    lasting[1] = 1
    for _ in range(ais31.BLOCK_BITS - 1):
        lasting = np.concatenate([[0, lasting.sum() / 2], lasting[1:-1] / 2])
    return 1 - lasting.sum()


def test_t0():
    words = ais31.WORDS
    assert pytest.approx(words * (words - 1) / 2 / 2**48, rel=CLOSE) == FALSE_ALARMS["T0"]


def test_t1():
    assert binomial_outside(20_000, ais31.ONES) == pytest.approx(FALSE_ALARMS["T1"], rel=CLOSE)


def test_t2():
    share = 1 - chi_square_above(ais31.POKER_MIN) + chi_square_above(ais31.POKER_MAX)
    assert share == pytest.approx(FALSE_ALARMS["T2"], rel=CLOSE)
    assert chi_square_above(24.996) == pytest.approx(0.05, rel=1e-3)


def test_t3_the_sum_over_all_counts():
    total = 0.0
    for length, wanted in enumerate(ais31.RUNS, 1):
        shares = runs_distribution(length)
        assert shares.sum() == pytest.approx(1)
        total += 2 * (shares[: wanted.start].sum() + shares[wanted.stop :].sum())
    assert total == pytest.approx(FALSE_ALARMS["T3"], rel=CLOSE)


def test_t4():
    assert long_run_share() == pytest.approx(FALSE_ALARMS["T4"], rel=CLOSE)


def test_t5():
    share = binomial_outside(5_000, ais31.AUTOCORRELATION)
    assert share == pytest.approx(FALSE_ALARMS["T5"], rel=CLOSE)


def test_the_rate_for_a_payload():
    # as INSTALLATION.md says
    def rate(n_bytes):
        return Assessment(n_bytes, n_bytes // 393_216, n_bytes // 2500, 64, (), 0).false_alarm_rate

    assert rate(2**20) == pytest.approx(1 / 400_000, rel=0.1)
    assert rate(10_000_000) == pytest.approx(1 / 4_600, rel=0.1)
