# SPDX-License-Identifier: Apache-2.0
"""The popped slots of one ring, and who keeps each: it goes back, wiped, when nobody does.

Text is told by where it lies in the arena, in which the slots follow each other: what a source
published in neighbouring slots is one range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.native.ring import POP_MAX, SLOT_TEXT_BYTES

if TYPE_CHECKING:
    from bridge.native.ring import Ring

Range = tuple[int, int]  # from where to where in the arena's text

_RANGE_BYTES = 8 * SLOT_TEXT_BYTES  # what grows together, so that no piece is too much at once


class Slots:
    """A ring's slots. Every range that was popped, cut off or kept has to be dropped once."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.held = 0  # that the source cannot write to now
        self._keeps = [0] * ring.n_slots  # ranges that touch it

    def pop(self) -> list[Range]:
        """Take what the source has published since."""
        ranges: list[Range] = []
        first = last = 0
        while entries := self.ring.pop():
            for slot, text_bytes in entries:
                self._keeps[slot] += 1
                self.held += 1
                start = slot * SLOT_TEXT_BYTES
                if start == last and last - first < _RANGE_BYTES:
                    last += text_bytes
                    continue
                if last > first:
                    ranges.append((first, last))
                first, last = start, start + text_bytes
            if len(entries) < POP_MAX:
                break
        if last > first:
            ranges.append((first, last))
        return ranges

    def cut(self, at: int) -> None:
        """Let a range become two, the second of which begins here."""
        if at % SLOT_TEXT_BYTES:
            self._keeps[at // SLOT_TEXT_BYTES] += 1

    def join(self, at: int) -> bool:
        """Let two ranges that meet here become one again, if a cut within a slot parted them."""
        if not at % SLOT_TEXT_BYTES:
            return False
        self._keeps[at // SLOT_TEXT_BYTES] -= 1
        return True

    def keep(self, part: Range) -> None:
        """Keep a range that somebody else keeps already."""
        keeps = self._keeps
        for slot in _touched(part):
            keeps[slot] += 1

    def drop(self, *parts: Range) -> None:
        """Let go of ranges; slots that nobody keeps any more go back."""
        keeps = self._keeps
        free = []
        for part in parts:
            for slot in _touched(part):
                keeps[slot] -= 1
                if not keeps[slot]:
                    free.append(slot)
        if free:
            self.ring.release(*free)
            self.held -= len(free)


def _touched(part: Range) -> range:
    return range(part[0] // SLOT_TEXT_BYTES, -(-part[1] // SLOT_TEXT_BYTES))
