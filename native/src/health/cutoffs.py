# ruff: noqa: INP001, T201
"""Compute the cutoffs of the output tests; with --check, compare them with cutoffs.h.

Exact integer arithmetic: a byte is taken to have 8 bits of entropy, and a false alarm at one place
of the stream has at most the probability alpha.
"""

import re
import sys
from fractions import Fraction
from math import comb
from pathlib import Path

ENTROPY_BITS = 8
WINDOW_BYTES = 512
STARTUP_BYTES = 1024
DISCARD = Fraction(1, 2**40)
LATCH = Fraction(1, 2**60)
GIB = 2**30


def tail(trials: int, at_least: int, p: Fraction) -> Fraction:
    """Return the probability of `at_least` or more successes in independent trials."""
    hit, miss, denominator = p.numerator, p.denominator - p.numerator, p.denominator
    total = sum(
        comb(trials, k) * hit**k * miss ** (trials - k) for k in range(at_least, trials + 1)
    )
    return Fraction(total, denominator**trials)


def repetition(alpha: Fraction) -> int:
    """Return 1 + ceil(-log2(alpha) / H), the run that has at most the probability alpha."""
    run = 1
    while Fraction(1, 2 ** (ENTROPY_BITS * (run - 1))) > alpha:
        run += 1
    return run


def proportion(alpha: Fraction) -> int:
    """Return the count, the first byte included, that has at most the probability alpha."""
    equal = 0
    while tail(WINDOW_BYTES - 1, equal, Fraction(1, 2**ENTROPY_BITS)) > alpha:
        equal += 1
    return 1 + equal


def startup_ones(alpha: Fraction) -> tuple[int, int]:
    """Return the least and the most set bits that are not alarming, both sides together."""
    allowed = alpha / 2 * 2**STARTUP_BYTES
    outcomes, least = 1, 0  # with at most `least` set bits
    while outcomes <= allowed:
        least += 1
        outcomes += comb(STARTUP_BYTES, least)
    return least, STARTUP_BYTES - least


def constants() -> dict[str, int]:
    """Return what cutoffs.h must say."""
    ones_min, ones_max = startup_ones(DISCARD)
    return {
        "WINDOW_BYTES": WINDOW_BYTES,
        "STARTUP_BYTES": STARTUP_BYTES,
        "REPETITION_DISCARD": repetition(DISCARD),
        "REPETITION_LATCH": repetition(LATCH),
        "PROPORTION_DISCARD": proportion(DISCARD),
        "PROPORTION_LATCH": proportion(LATCH),
        "STARTUP_ONES_MIN": ones_min,
        "STARTUP_ONES_MAX": ones_max,
    }


def false_alarms_per_gib() -> dict[str, float]:
    """Return how often a good source fails each test, by volume; start-up: in each start."""
    wanted = constants()
    rates = {}
    for tier in ("DISCARD", "LATCH"):
        run, count = wanted[f"REPETITION_{tier}"], wanted[f"PROPORTION_{tier}"]
        starts = Fraction(2**ENTROPY_BITS - 1, 2**ENTROPY_BITS)  # where a run can begin
        rates[f"repetition, {tier.lower()}"] = float(
            GIB * starts * Fraction(1, 2 ** (ENTROPY_BITS * (run - 1)))
        )
        rates[f"proportion, {tier.lower()}"] = float(
            Fraction(GIB, WINDOW_BYTES)
            * tail(WINDOW_BYTES - 1, count - 1, Fraction(1, 2**ENTROPY_BITS))
        )
    rates["consecutive"] = float(Fraction(GIB // 16, 2**128))
    rates["poison"] = float(Fraction(GIB // 8, 2**64))
    ones_max = wanted["STARTUP_ONES_MAX"]
    rates["start-up, each time"] = float(16 * tail(STARTUP_BYTES, ones_max + 1, Fraction(1, 2)))
    return rates


def written() -> dict[str, int]:
    """Return what cutoffs.h says."""
    header = Path(__file__).with_name("cutoffs.h").read_text(encoding="ascii")
    return {
        name: int(value)
        for name, value in re.findall(r"#define BN_HEALTH_(\w+) (\d+)$", header, re.MULTILINE)
    }


def main() -> int:
    """Print the cutoffs and the false-alarm rates, or compare."""
    found = written()
    wrong = 0
    for name, value in constants().items():
        same = found.get(name) == value
        wrong += not same
        print(f"{name} = {value}" + ("" if same else f", but cutoffs.h has {found.get(name)}"))
    if "--check" in sys.argv[1:]:
        return 1 if wrong else 0
    print("\nfalse alarms per GiB of good bytes")
    for name, rate in false_alarms_per_gib().items():
        print(f"{name}: {rate:.2g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
