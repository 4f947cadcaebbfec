# SPDX-License-Identifier: Apache-2.0
"""The consumer's side of one source's rings, and the account of every byte.

One thread, the event loop's, except that a view may die in any.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.source.account import Account, Fate
from bridge.source.slots import Slots
from bridge.source.take import Portion, Take
from bridge.source.wakeups import Wakeups

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from bridge.native.ring import Ring, RingView
    from bridge.source.bucket import Bucket
    from bridge.source.slots import Range


def _never() -> bool:
    return False


class Supply:
    """One source's bytes."""

    def __init__(self, suspended: Callable[[], bool] = _never, cap: Bucket | None = None) -> None:
        self.epoch = 0  # raised by every purge
        self.halted = False  # what arrives is not to be used until a new source is begun
        self._suspended = suspended
        self._cap = cap
        self._thread = threading.get_ident()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakeups: Wakeups | None = None
        self._ring: Ring | None = None
        self._slots: Slots | None = None  # of that ring
        # Kept here, for nothing else does: a view refers to its portion weakly.
        self._open: set[Portion] = set()
        self._ranges: deque[tuple[Slots, Range]] = deque()
        self._callbacks: list[Callable[[], None]] = []
        self._untold = False  # bytes were popped that no callback was told of
        self._before = Account()  # what ended generations generated, failed, spent and lost
        # text bytes
        self._available = 0
        self._in_flight = 0
        self._published = 0
        self._published_before = 0  # up to this generation
        self._purged = 0
        self._fates = [0] * len(Fate)

    # ---- the feeder's side ----------------------------------------------------------------------

    @property
    def available_bytes(self) -> int:
        """Raw bytes to be had now."""
        self._pull()
        if self._wakeups is not None:
            self._wakeups.put_off()
        there = self._available // 4 * 3
        return there if self._cap is None else min(there, self._cap.allowance() // 3 * 3)

    def take(self, max_raw_bytes: int) -> Take | None:
        """Take whole 3-byte groups, at most `max_raw_bytes`; None when there is nothing."""
        portion = self.portion(max_raw_bytes)
        return None if portion is None else Take((portion,))

    def on_data(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever bytes arrive or come back; returns how to end that."""
        self._callbacks.append(callback)

        def remove() -> None:
            with suppress(ValueError):
                self._callbacks.remove(callback)

        return remove

    def purge(self) -> None:
        """Discard all that is not spent; takes that were not sent yet become stale."""
        self._pull()
        self.epoch += 1
        ranges, self._ranges = self._ranges, deque()
        self._purged += self._available
        self._available = 0
        for slots, part in ranges:
            self._let_go(slots, (part,))

    def account(self) -> Account:
        """Say where every byte went."""
        self._pull()
        made = self._before
        if self._ring is not None:
            made = self._made(self._ring.observe(), ended=False)
        return Account(
            generated=made.generated,
            published=self._published // 4 * 3,
            failed=made.failed,
            startup=made.startup,
            lost=made.lost,
            in_source=made.in_source,
            delivered=self._fates[Fate.DELIVERED] // 4 * 3,
            refused=self._fates[Fate.REFUSED] // 4 * 3,
            unknown=self._fates[Fate.UNKNOWN] // 4 * 3,
            purged=self._purged // 4 * 3,
            in_ring=self._available // 4 * 3,
            in_flight=self._in_flight // 4 * 3,
        )

    def portion(self, max_raw_bytes: int) -> Portion | None:
        """Take a portion, to be made part of a take."""
        if self._cap is not None:
            max_raw_bytes = min(max_raw_bytes, self._cap.allowance())
        wanted = left = max_raw_bytes // 3 * 4
        if left > self._available:
            self._pull()
        ranges = self._ranges
        if left <= 0 or not ranges:
            return None
        slots = ranges[0][0]
        taken: list[Range] = []
        while left and ranges and ranges[0][0] is slots:
            start, stop = ranges.popleft()[1]
            if stop - start > left:
                cut = start + left
                slots.cut(cut)
                ranges.appendleft((slots, (cut, stop)))
                stop = cut
            left -= stop - start
            taken.append((start, stop))
        text_bytes = wanted - left
        self._available -= text_bytes
        self._in_flight += text_bytes
        if self._cap is not None:
            self._cap.take(text_bytes // 4 * 3)
        portion = Portion(self, slots, taken, text_bytes)
        self._open.add(portion)
        return portion

    # ---- the take's side ------------------------------------------------------------------------

    def check(self) -> None:
        """Purge if the machine was suspended: a twin of it may have the same bytes."""
        if self._suspended():
            self.purge()
            self.halted = True

    def settle(self, portion: Portion, fate: Fate) -> None:
        """Count the portion's bytes and let go of them."""
        self._in_flight -= portion.text_bytes
        self._fates[fate] += portion.text_bytes
        self._drop(portion)

    def restore(self, portion: Portion) -> None:
        """Put the portion's ranges back to the front."""
        self._in_flight -= portion.text_bytes
        if self._cap is not None:
            self._cap.give_back(portion.text_bytes // 4 * 3)
        if portion.epoch != self.epoch:
            self._purged += portion.text_bytes
            self._drop(portion)
            return
        self._available += portion.text_bytes
        ranges, slots = self._ranges, portion.slots
        for part in reversed(portion.ranges):
            slots.keep(part)
            start, stop = part
            meets = ranges and ranges[0][0] is slots and ranges[0][1][0] == stop
            if meets and slots.join(stop):
                stop = ranges.popleft()[1][1]
            ranges.appendleft((slots, (start, stop)))
        self._drop(portion)
        self._notify()

    def portion_unseen(self, portion: Portion) -> None:
        """Let go of what no view is left of, on the supply's own thread."""
        # The last view may die in a collection that another thread set off.
        loop = self._loop
        if threading.get_ident() == self._thread or loop is None or loop.is_closed():
            self._drop(portion)
        else:
            loop.call_soon_threadsafe(self._drop, portion)

    # ---- the supervisor's side ------------------------------------------------------------------

    def attach(self, ring: Ring, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with a ring that no source has used yet; wake-ups come through `loop`."""
        self._thread = threading.get_ident()
        self._loop = loop
        self._ring = ring
        self._slots = Slots(ring)
        self._wakeups = Wakeups(ring, loop, self._look)

    @property
    def published_bytes(self) -> int:
        """Raw bytes that have arrived since the supply began."""
        self._look()
        return self._published // 4 * 3

    @property
    def generation_bytes(self) -> int:
        """Raw bytes that have arrived of the running source."""
        self._pull()
        return (self._published - self._published_before) // 4 * 3

    @property
    def held_slots(self) -> int:
        """Slots of the ring that the source cannot write to now."""
        return 0 if self._slots is None else self._slots.held

    def begin_generation(self) -> None:
        """Take what the next source publishes; to be called before it is started."""
        self.halted = False
        if self._wakeups is not None:
            self._wakeups.ask_soon()

    def end_generation(self) -> None:
        """Account for a source that has ended, after popping what it published.

        Whoever calls this then either restarts the ring or detaches it.
        """
        if self._ring is None:
            return
        halted, self.halted = self.halted, False
        self._pull()
        if halted:
            self.purge()
        self._before = self._made(self._ring.observe(), ended=True)
        self._published_before = self._published

    def detach(self) -> None:
        """Let the ring go after end_generation(); it closes when its last slot is free."""
        slots, self._slots, self._ring = self._slots, None, None
        if slots is None:
            return
        if self._wakeups is not None:
            self._wakeups.close()
            self._wakeups = None
        self._let_go(slots, ())

    def _made(self, view: RingView, *, ended: bool) -> Account:
        before = self._before
        published = (self._published - self._published_before) // 4 * 3
        used = published + view.failed_bytes + view.startup_bytes
        # The counters are read a moment apart while the source runs.
        rest = max(0, view.generated_bytes - used)
        return before + Account(
            generated=used + rest,
            failed=view.failed_bytes,
            startup=view.startup_bytes,
            lost=rest if ended else 0,
            in_source=0 if ended else rest,
        )

    def _pull(self) -> None:
        slots = self._slots
        if slots is None or self.halted:
            return
        arrived = 0
        for part in slots.pop():
            self._ranges.append((slots, part))
            arrived += part[1] - part[0]
        self._published += arrived
        self._available += arrived
        if arrived:
            self._untold = True

    def _drop(self, portion: Portion) -> None:
        if portion.drop():
            self._open.remove(portion)
            self._let_go(portion.slots, portion.ranges)

    def _let_go(self, slots: Slots, ranges: Iterable[Range]) -> None:
        """Drop ranges; a ring that no source fills any more closes with its last slot."""
        slots.drop(*ranges)
        if slots is not self._slots and not slots.held:
            slots.ring.close()

    def _look(self) -> None:
        # Whoever pops bytes first (a tick, the status page) is not who waits for them, and the ring
        # wakes nobody for what is popped: when it is full, never again.
        self._pull()
        if self._untold:
            self._untold = False
            self._notify()

    def _notify(self) -> None:
        for callback in tuple(self._callbacks):
            callback()
