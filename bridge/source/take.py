# SPDX-License-Identifier: Apache-2.0
"""A take: bytes that one request carries away, until their fate is known.

Nothing is copied. A piece is a view into a ring slot; the slot goes back to the ring (which wipes
it) when every part of it has met its fate and every view of it is gone, whoever held it last.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.native.ring import Ring
    from bridge.source.account import Fate


class StaleTake(Exception):
    """The bytes were purged before they were sent; they must not be."""


class Slot:
    """A popped slot, and what still keeps it: unfinished ranges and living views."""

    __slots__ = ("_keeper", "_views", "index", "keeps", "ring")

    def __init__(self, keeper: Keeper, ring: Ring, index: int) -> None:
        self.ring = ring
        self.index = index
        self.keeps = 1  # the range that covers the whole slot
        self._keeper = keeper
        self._views: dict[int, weakref.ref[object]] = {}

    def piece(self, start: int, stop: int) -> memoryview:
        """View a part of the slot's text; the view keeps the slot."""
        view, owner = self.ring.piece(self.index, start, stop)
        self.keeps += 1
        watch = weakref.ref(owner, self._view_died)
        self._views[id(watch)] = watch
        return view

    def drop(self) -> None:
        """Let go of one keep; the last one releases the slot."""
        self.keeps -= 1
        if not self.keeps:
            self._keeper.slot_free(self)

    def _view_died(self, view: weakref.ref[object]) -> None:
        del self._views[id(view)]
        self._keeper.view_died(self)


class Keeper(Protocol):
    """What a slot and a portion need of the supply that they came from."""

    epoch: int

    def slot_free(self, slot: Slot) -> None:
        """Give the slot back to its ring."""

    def view_died(self, slot: Slot) -> None:
        """Drop one keep of the slot, on the supply's own thread."""

    def check(self) -> None:
        """Purge, if there is a reason to; raises the epoch."""

    def settle(self, portion: Portion, fate: Fate) -> None:
        """Count the portion's bytes and let go of its ranges."""

    def restore(self, portion: Portion) -> None:
        """Put the portion's ranges back to the front."""


Range = tuple[Slot, int, int]  # slot, start and stop in its text


class Portion:
    """What a take has from one supply."""

    __slots__ = ("epoch", "keeper", "pieces", "ranges", "text_bytes")

    def __init__(
        self,
        keeper: Keeper,
        ranges: Sequence[Range],
        pieces: tuple[memoryview, ...],
        text_bytes: int,
    ) -> None:
        self.keeper = keeper
        self.epoch = keeper.epoch
        self.ranges = ranges
        self.pieces = pieces
        self.text_bytes = text_bytes


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
