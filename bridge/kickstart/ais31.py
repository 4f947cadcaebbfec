"""The basic tests T0 to T5 of AIS 31, procedure A, in plain Python.

BSI, "A proposal for: Functionality classes for random number generators"; T1 to T4 are those of
FIPS 140-1. Bits are taken from each byte most significant first; a block is 20,000 bits. All is
counted on integers of a whole block, which is what makes it fast.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK_BYTES = 2_500
BLOCK_BITS = 8 * BLOCK_BYTES
WORD_BYTES = 6  # of T0
WORDS = 2**16
WINDOW_BYTES = WORD_BYTES * WORDS  # what T0 looks at

ONES = range(9_655, 10_346)  # T1
POKER_MIN, POKER_MAX = 1.03, 57.4  # T2
RUNS = (  # T3, by length 1 to 5 and 6 or more, for zeros and for ones
    range(2_267, 2_734),
    range(1_079, 1_422),
    range(502, 749),
    range(223, 403),
    range(90, 224),
    range(90, 224),
)
LONG_RUN = 34  # T4: a run of that length fails
SHIFTS = 5_000  # T5
AUTOCORRELATION = range(2_327, 2_674)

_BLOCK = (1 << BLOCK_BITS) - 1
_HALF_BITS = BLOCK_BITS // 2
_HALF = (1 << _HALF_BITS) - 1
_SUM = (1 << SHIFTS) - 1
_NIBBLES = "0123456789abcdef"


def repeated_words(window: bytes) -> int:
    """T0: how many of the 48-bit words of a window are there more than once; 0 is a pass."""
    words = {window[at : at + WORD_BYTES] for at in range(0, WINDOW_BYTES, WORD_BYTES)}
    return WORDS - len(words)


def failed_tests(block: bytes, *, with_autocorrelation: bool = True) -> list[str]:
    """Return the names of the tests T1 to T5 that a block fails; T5 takes longer than the rest."""
    bits = int.from_bytes(block, "big")
    return list(_failures(block, bits, with_autocorrelation=with_autocorrelation))


def _failures(block: bytes, bits: int, *, with_autocorrelation: bool) -> Iterator[str]:
    if bits.bit_count() not in ONES:
        yield "T1"
    if not POKER_MIN < poker(block) < POKER_MAX:
        yield "T2"
    zeros = bits ^ _BLOCK
    if not (_runs_are_good(bits) and _runs_are_good(zeros)):
        yield "T3"
    if has_long_run(bits) or has_long_run(zeros):
        yield "T4"
    if with_autocorrelation and autocorrelation(bits) not in AUTOCORRELATION:
        yield "T5"


def poker(block: bytes) -> float:
    """T2: the statistic of the frequencies of the 5,000 nibbles."""
    text = block.hex()
    return 16 / len(text) * sum(text.count(nibble) ** 2 for nibble in _NIBBLES) - len(text)


def run_counts(bits: int) -> list[int]:
    """T3: how many runs of ones have the length 1, 2, 3, 4, 5, and 6 or more."""
    # Where a run of at least n bits begins, bit by bit: a run of length L counts L - n + 1 times
    # for n, so the difference for n and n + 1 counts every run of at least n once.
    starts = bits
    counts = []
    for shift in range(1, 8):
        counts.append(starts.bit_count())
        starts &= bits >> shift
    at_least = [a - b for a, b in pairwise(counts)]
    return [*(a - b for a, b in pairwise(at_least)), at_least[-1]]


def _runs_are_good(bits: int) -> bool:
    return all(count in wanted for count, wanted in zip(run_counts(bits), RUNS, strict=True))


def has_long_run(bits: int) -> bool:
    """T4: whether there are LONG_RUN ones in a row."""
    in_a_row, length = bits, 1
    while in_a_row and length < LONG_RUN:
        step = min(length, LONG_RUN - length)
        in_a_row &= in_a_row >> step
        length += step
    return bool(in_a_row)


def autocorrelation(bits: int) -> int:
    """T5: how many bits of the second half differ at the shift that is worst in the first half."""
    differing = _differing(bits >> _HALF_BITS, range(1, SHIFTS + 1))
    most, least = max(differing), min(differing)
    worst = most if most - SHIFTS // 2 >= SHIFTS // 2 - least else least
    return _differing(bits & _HALF, [differing.index(worst) + 1])[0]


def _differing(half: int, shifts: Iterable[int]) -> list[int]:
    """Return in how many places the first 5,000 bits differ from those so much further on."""
    first = half >> SHIFTS
    return [((half >> SHIFTS - shift & _SUM) ^ first).bit_count() for shift in shifts]
