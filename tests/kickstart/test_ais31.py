"""The basic tests against a reference that is written bit by bit, and against bad bits."""

import itertools
import random

import numpy as np
import pytest

from bridge.kickstart import ais31
from bridge.kickstart.ais31 import BLOCK_BITS, BLOCK_BYTES, failed_tests


def block_of(bits):
    return int("".join(map(str, bits)), 2).to_bytes(BLOCK_BYTES, "big")


def bits_of(block):
    return [byte >> 7 - place & 1 for byte in block for place in range(8)]


def whole(block):
    return int.from_bytes(block, "big")


def good_block(seed):
    return random.Random(seed).randbytes(BLOCK_BYTES)


def reference_runs(bits):
    counts = {0: [0] * 6, 1: [0] * 6}
    longest = 0
    for value, run in itertools.groupby(bits):
        length = len(list(run))
        counts[value][min(length, 6) - 1] += 1
        longest = max(longest, length)
    return counts, longest


def reference_poker(bits):
    counts = [0] * 16
    for place in range(0, BLOCK_BITS, 4):
        counts[int("".join(map(str, bits[place : place + 4])), 2)] += 1
    return 16 / 5000 * sum(count**2 for count in counts) - 5000


def reference_autocorrelation(bits):
    bits = np.array(bits)

    def differing(start, shift):
        first = bits[start : start + 5000]
        return int(np.count_nonzero(first != bits[start + shift : start + shift + 5000]))

    worst = max(range(1, 5001), key=lambda shift: abs(differing(0, shift) - 2500))
    return differing(10_000, worst)


@pytest.mark.parametrize("seed", range(10))
def test_the_figures_are_the_references(seed):
    dice = random.Random(seed)
    share = dice.choice([0.5, 0.5, 0.1, 0.9])
    bits = [int(dice.random() < share) for _ in range(BLOCK_BITS)]
    block = block_of(bits)
    assert bits_of(block) == bits
    counts, longest = reference_runs(bits)
    assert ais31.run_counts(whole(block)) == counts[1]
    assert ais31.run_counts(whole(bytes(255 - byte for byte in block))) == counts[0]
    assert ais31.poker(block) == pytest.approx(reference_poker(bits))
    ones = max((len(list(run)) for value, run in itertools.groupby(bits) if value), default=0)
    assert ais31.has_long_run(whole(block)) == (ones >= 34)
    assert longest >= ones


def test_autocorrelation_is_the_references():
    # Bits that depend on those 4,711 before, so that there is a shift to be found.
    dice = random.Random(1)
    bits = []
    for place in range(BLOCK_BITS):
        repeats = place >= 4_711 and dice.random() < 0.3
        bits.append(bits[place - 4_711] if repeats else dice.getrandbits(1))
    assert ais31.autocorrelation(whole(block_of(bits))) == reference_autocorrelation(bits)
    assert failed_tests(block_of(bits)) == ["T5"]
    assert failed_tests(block_of(bits), with_autocorrelation=False) == []


@pytest.mark.parametrize("seed", range(5))
def test_good_bits_pass(seed):
    assert failed_tests(good_block(seed)) == []


@pytest.mark.parametrize(("n_ones", "fails"), [(9_654, True), (9_655, False), (10_346, True)])
def test_t1_at_its_bounds(n_ones, fails):
    bits = [1] * n_ones + [0] * (BLOCK_BITS - n_ones)
    random.Random(0).shuffle(bits)
    assert ("T1" in failed_tests(block_of(bits), with_autocorrelation=False)) == fails


@pytest.mark.parametrize(("length", "fails"), [(33, False), (34, True), (35, True), (70, True)])
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("place", [0, 7_777, None])
def test_t4_at_its_bound(length, fails, value, place):
    bits = bits_of(good_block(3))
    place = BLOCK_BITS - length if place is None else place
    bits[place : place + length] = [value] * length
    for beside in (place - 1, place + length):
        if 0 <= beside < BLOCK_BITS:
            bits[beside] = 1 - value
    assert failed_tests(block_of(bits), with_autocorrelation=False) == (["T4"] if fails else [])


@pytest.mark.parametrize("length", range(1, 8))
def test_t3_counts_every_length(length):
    runs = itertools.cycle([[1] * length, [0] * length])
    bits = list(itertools.islice(itertools.chain.from_iterable(runs), BLOCK_BITS))
    counts = ais31.run_counts(whole(block_of(bits)))
    assert counts[min(length, 6) - 1] == pytest.approx(BLOCK_BITS / length / 2, abs=1)
    assert "T3" in failed_tests(block_of(bits), with_autocorrelation=False)


@pytest.mark.parametrize(
    "block",
    [
        bytes(BLOCK_BYTES),
        b"\xff" * BLOCK_BYTES,
        b"\xaa" * BLOCK_BYTES,
        bytes(range(250)) * 10,
        b"all work and no play makes jack a dull boy" * 60,
    ],
)
def test_bad_bits_fail(block):
    assert failed_tests(block[:BLOCK_BYTES])


def test_t2_fails_where_nibbles_are_uneven():
    dice = random.Random(5)
    nibbles = [dice.choice("0123456789abcdef0369") for _ in range(2 * BLOCK_BYTES)]
    assert "T2" in failed_tests(bytes.fromhex("".join(nibbles)), with_autocorrelation=False)


def test_t0_counts_repetitions():
    window = bytearray(random.Random(6).randbytes(ais31.WINDOW_BYTES))
    assert ais31.repeated_words(bytes(window)) == 0
    window[6:12] = window[-6:]
    assert ais31.repeated_words(bytes(window)) == 1
    window[13:19] = window[-6:]  # not where a word begins
    assert ais31.repeated_words(bytes(window)) == 1
    window[600:606] = window[-6:]
    assert ais31.repeated_words(bytes(window)) == 2
