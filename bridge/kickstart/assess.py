"""The output tests over a whole payload, and what their failures mean.

AIS 31's rule is kept: one failure among many basic tests is chance, and a second one is not. A
single block that fails does not make ten million good bytes bad. These are sanity tests of an
output; they validate no entropy source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bridge.kickstart import ais31

# That ideal random bits fail, per block of 20,000 bits; tests/kickstart/test_false_alarms.py
# computes them. T0 is per window of 65,536 words.
FALSE_ALARMS = {
    "T0": 7.6e-6,
    "T1": 1.03e-6,
    "T2": 1.01e-6,
    "T3": 2.0e-6,
    "T4": 1.16e-6,
    "T5": 9.1e-7,
}
REPEAT_BYTES = 16
# T5 takes as long as forty times the rest; what it looks for is not in one block alone.
AUTOCORRELATED_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """A basic test that failed, and the offset of the block or window in the payload."""

    test: str
    offset: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the tests made of a payload."""

    n_bytes: int
    n_windows: int  # of T0
    n_blocks: int  # of T1 to T4
    n_autocorrelated: int  # of T5
    failures: tuple[Failure, ...]
    n_repeated: int  # 16-byte pieces that are there more than once

    @property
    def n_failed(self) -> int:
        """Blocks and windows that failed; one that fails several tests counts once."""
        return len({(failure.test == "T0", failure.offset) for failure in self.failures})

    @property
    def expected(self) -> float:
        """How many blocks and windows of ideal random bytes would fail, on average."""
        basic = sum(FALSE_ALARMS[test] for test in ("T1", "T2", "T3", "T4"))
        return (
            self.n_windows * FALSE_ALARMS["T0"]
            + self.n_blocks * basic
            + self.n_autocorrelated * FALSE_ALARMS["T5"]
        )

    @property
    def false_alarm_rate(self) -> float:
        """The share of good payloads of this size that are called bad."""
        # 1 - e^-x (1 + x), without losing its digits
        expected = self.expected
        return -math.expm1(-expected) - expected * math.exp(-expected)

    @property
    def problem(self) -> str | None:
        """Return what is wrong with the bytes; None if they pass."""
        if self.n_repeated:
            return (
                f"pieces of {REPEAT_BYTES} bytes are there more than once ({self.n_repeated:,} of "
                f"{self.n_bytes // REPEAT_BYTES:,}), which random bytes never do; do not use them"
            )
        if self.n_failed > 1:
            return (
                f"{self.n_failed:,} of {self.n_blocks + self.n_windows:,} blocks failed the output "
                f"tests ({self._tests()}), of which chance explains one; do not use them"
            )
        return None

    @property
    def warning(self) -> str | None:
        """Return what is worth knowing about bytes that pass."""
        if self.problem is None and self.failures:
            share = round(1 / -math.expm1(-self.expected))
            at = self.failures[0].offset
            return (
                f"the block at byte {at:,} failed {self._tests()}; that is chance, "
                f"and happens in one of {share:,} good payloads of this size"
            )
        return None

    def _tests(self) -> str:
        return ", ".join(sorted({failure.test for failure in self.failures}))


def assess(raw: bytes | bytearray, *, n_autocorrelated: int = AUTOCORRELATED_BLOCKS) -> Assessment:
    """Test a payload: T0 to T4 all over, T5 on blocks that are spread evenly.

    What is left of it behind the last whole block is only looked at for repetitions.
    """
    view = memoryview(raw)
    windows = range(0, len(raw) - ais31.WINDOW_BYTES + 1, ais31.WINDOW_BYTES)
    failures = []
    for at in windows:
        repeated = ais31.repeated_words(view[at : at + ais31.WINDOW_BYTES].tobytes())
        # Two pairs in one window are as telling as one in each of two.
        failures += [Failure("T0", at + n) for n in range(min(repeated, 2))]
    n_blocks = len(raw) // ais31.BLOCK_BYTES
    spread = {index * n_blocks // n_autocorrelated for index in range(n_autocorrelated)}
    spread = {index for index in spread if index < n_blocks}
    for index in range(n_blocks):
        at = index * ais31.BLOCK_BYTES
        block = view[at : at + ais31.BLOCK_BYTES].tobytes()
        tests = ais31.failed_tests(block, with_autocorrelation=index in spread)
        failures += [Failure(test, at) for test in tests]
    return Assessment(
        n_bytes=len(raw),
        n_windows=len(windows),
        n_blocks=n_blocks,
        n_autocorrelated=len(spread),
        failures=tuple(failures),
        n_repeated=_repeated(view),
    )


def _repeated(view: memoryview) -> int:
    starts = range(0, len(view) - REPEAT_BYTES + 1, REPEAT_BYTES)
    return len(starts) - len({view[at : at + REPEAT_BYTES].tobytes() for at in starts})
