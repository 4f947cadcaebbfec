# SPDX-License-Identifier: Apache-2.0
"""How a module is probed: which lengths, in which sessions, and what follows from it.

Pure: the module is behind `Bench`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bridge.hsm.selection import HsmError
from bridge.native.ckr import ckr_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.native.probe import ProbedCall, ProbedCell

FIRST_BYTES = 1024  # what every module that was measured accepts
LEAST_BYTES = 32
MOST_BYTES = 1 << 20
BLOCK_BYTES = 16
SESSIONS = (1, 2, 4)
ODD_BYTES = (0, 1, 3, 31, 1023, 1025, 65535, 65537, MOST_BYTES - 1)
CALL_SECONDS_MOST = 1.0  # a length is not doubled beyond this, nor an odd one tried
ROUNDS = 3
ENOUGH = 0.95  # of the best, to be content with less


class Bench(Protocol):
    """A token to be measured."""

    def call(self, n_bytes: int) -> ProbedCall:
        """Ask for `n_bytes` once."""

    def measure(self, call_bytes: int, sessions: int, seconds: float) -> ProbedCell:
        """Ask for `call_bytes` again and again in that many sessions, or in as many as it has."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The longest call that there is to be; `ckr` of what is longer, None: it was not tried."""

    longest_bytes: int
    ckr: int | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to configure: the fewest sessions, then the shortest call, that are fast enough."""

    call_bytes: int
    sessions: int
    bytes_per_second: float
    best_bytes_per_second: float


def find_limit(bench: Bench) -> Limit:
    """Find the longest call: from 1 KiB it doubles; a refused one is halved and closed in on."""
    good = bench.call(FIRST_BYTES)
    refused: ProbedCall | None = None
    while good.ckr and good.length_bytes > LEAST_BYTES:
        refused, good = good, bench.call(good.length_bytes // 2)
    if good.ckr:
        raise HsmError(f"{ckr_name(good.ckr)} (0x{good.ckr:X}) from C_GenerateRandom")
    while refused is None:
        if good.length_bytes >= MOST_BYTES or 2 * good.seconds > CALL_SECONDS_MOST:
            return Limit(good.length_bytes, None)
        longer = bench.call(2 * good.length_bytes)
        if longer.ckr:
            refused = longer
        else:
            good = longer
    return _closed_in(bench, good, refused)


def _closed_in(bench: Bench, good: ProbedCall, refused: ProbedCall) -> Limit:
    ckr = refused.ckr
    while refused.length_bytes - good.length_bytes > 1 and good.seconds < CALL_SECONDS_MOST:
        tried = bench.call((good.length_bytes + refused.length_bytes) // 2)
        if tried.ckr:
            refused = tried
        else:
            good = tried
    again = bench.call(good.length_bytes)
    if again.ckr:  # so it was not the length
        raise HsmError(f"{ckr_name(again.ckr)} (0x{again.ckr:X}) from C_GenerateRandom")
    return Limit(good.length_bytes, ckr)


def sizes_up_to(longest_bytes: int) -> tuple[int, ...]:
    """List the lengths to measure: 1 KiB, doubled, and the longest, in whole blocks."""
    longest = max(LEAST_BYTES, longest_bytes // BLOCK_BYTES * BLOCK_BYTES)
    size = FIRST_BYTES
    sizes = []
    while size < longest:
        sizes.append(size)
        size *= 2
    return (*sizes, longest)


def measure_all(
    bench: Bench, sizes: tuple[int, ...], seconds: float, progress: Callable[[int, int, str], None]
) -> tuple[ProbedCell, ...]:
    """Measure every length in every number of sessions that the token has, `seconds` for each.

    In rounds, of which the fastest counts: what else the machine does comes and goes.
    """
    plan = [(size, sessions) for size in sizes for sessions in SESSIONS]
    best: dict[tuple[int, int], ProbedCell] = {}
    for turn in range(ROUNDS):
        for step, (size, sessions) in enumerate(plan):
            before = best.get((size, sessions))
            if before is not None and (before.ckr or before.seconds > seconds):
                continue  # refused, or so slow that one round said it
            text = f"{size:,} bytes, sessions: {sessions}"
            progress(turn * len(plan) + step, ROUNDS * len(plan), text)
            cell = bench.measure(size, sessions, seconds / ROUNDS)
            if cell.ckr or before is None or cell.bytes_per_second > before.bytes_per_second:
                best[size, sessions] = cell
    # A token with one session answers for two and four with the same.
    found = {(cell.call_bytes, cell.sessions): cell for cell in reversed(best.values())}
    return tuple(sorted(found.values(), key=lambda cell: (cell.call_bytes, cell.sessions)))


def try_odd_lengths(bench: Bench, seconds_per_byte: float) -> Iterator[ProbedCall]:
    """Try lengths that no power of two is; those that would take too long are left out."""
    for length in ODD_BYTES:
        if length * seconds_per_byte <= CALL_SECONDS_MOST:
            yield bench.call(length)


def advise(cells: tuple[ProbedCell, ...]) -> Advice | None:
    """Say what to configure; None when no call succeeded throughout."""
    whole = [cell for cell in cells if not cell.ckr and cell.calls]
    if not whole:
        return None
    best = max(cell.bytes_per_second for cell in whole)
    enough = (cell for cell in whole if cell.bytes_per_second >= ENOUGH * best)
    chosen = min(enough, key=lambda cell: (cell.sessions, cell.call_bytes))
    return Advice(chosen.call_bytes, chosen.sessions, chosen.bytes_per_second, best)
