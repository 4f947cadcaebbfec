# SPDX-License-Identifier: Apache-2.0
"""A take: bytes that one request carries away, until their fate is known.

Nothing is copied. A piece is a view into the ring; a slot goes back to the ring (which wipes it)
when the takes that have a part of it have met their fates and no view of their bytes is left,
whoever held it last.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Protocol

from bridge.native.ring import SLOT_TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.source.account import Fate
    from bridge.source.slots import Range, Slots


class StaleTake(Exception):
    """The bytes were purged before they were sent; they must not be."""


class Keeper(Protocol):
    """What a portion needs of the supply that it came from."""

    epoch: int

    def portion_unseen(self, portion: Portion) -> None:
        """Hear, in any thread, that nobody can see the portion's bytes any more."""

    def check(self) -> None:
        """Purge, if there is a reason to; raises the epoch."""

    def settle(self, portion: Portion, fate: Fate) -> None:
        """Count the portion's bytes and let go of them."""

    def restore(self, portion: Portion) -> None:
        """Put the portion's ranges back to the front."""


class Portion:
    """What a take has from one ring, kept for its fate and for whoever still sees its bytes."""

    __slots__ = ("_keeps", "_watch", "epoch", "keeper", "pieces", "ranges", "slots", "text_bytes")

    def __init__(
        self, keeper: Keeper, slots: Slots, ranges: Sequence[Range], text_bytes: int
    ) -> None:
        self.keeper = keeper
        self.epoch = keeper.epoch
        self.slots = slots
        self.ranges = ranges
        self.text_bytes = text_bytes
        ring = slots.ring
        view, owner = ring.piece(0, 0, ring.n_slots * SLOT_TEXT_BYTES)
        self.pieces = tuple([view[start:stop] for start, stop in ranges])
        self._watch = weakref.ref(owner, self._unseen)
        self._keeps = 2

    def drop(self) -> bool:
        """Drop one of the two keeps; says whether that was the last."""
        self._keeps -= 1
        return not self._keeps

    def _unseen(self, _owner: weakref.ref[object]) -> None:
        self.keeper.portion_unseen(self)


class Take:
    """Base64 text for one request, in pieces that concatenate; ends by done() or give_back()."""

    __slots__ = ("_portions", "pieces", "raw_bytes", "settled", "spent", "text_bytes")

    def __init__(self, portions: Sequence[Portion]) -> None:
        self._portions = portions
        first = portions[0]
        self.pieces = first.pieces
        self.text_bytes = first.text_bytes
        for portion in portions[1:]:
            self.pieces += portion.pieces
            self.text_bytes += portion.text_bytes
        self.raw_bytes = self.text_bytes // 4 * 3
        self.spent = False
        self.settled = False

    def spend(self) -> None:
        """Call just before the first byte is handed to a transport; StaleTake forbids it."""
        if self.spent or self.settled:
            raise RuntimeError("bytes of a take may be sent once only")
        for portion in self._portions:
            portion.keeper.check()
            if portion.epoch != portion.keeper.epoch:
                raise StaleTake("the reserve was purged after these bytes were taken from it")
        self.spent = True

    def give_back(self) -> None:
        """Return bytes that no transport has seen; they are the next to be taken."""
        if self.spent:
            raise RuntimeError("spent bytes cannot be given back")
        self._settle()
        for portion in reversed(self._portions):
            portion.keeper.restore(portion)
        self._portions = ()

    def done(self, fate: Fate) -> None:
        """Close the books on the bytes; from here on only the transport may still hold them."""
        self._settle()
        for portion in self._portions:
            portion.keeper.settle(portion, fate)
        self._portions = ()

    def _settle(self) -> None:
        if self.settled:
            raise RuntimeError("the take has ended already")
        self.settled = True
        self.pieces = ()
        for portion in self._portions:
            portion.pieces = ()

    def __repr__(self) -> str:
        state = "settled" if self.settled else "spent" if self.spent else "taken"
        return f"<Take of {self.raw_bytes} bytes, {state}>"
