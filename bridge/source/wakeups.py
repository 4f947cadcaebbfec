# SPDX-License-Identifier: Apache-2.0
"""Wake-ups from a ring: asked for, slept on, and not one per slot."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from bridge.native.ring import Ring

# After a wake-up the next is not asked for before this: a fast source would wake the loop once per
# slot. Nor is it after a look of somebody's own accord: who looks at shorter intervals, as the
# pusher does while a fast source has it busy, needs to be told nothing, which costs nothing then.
COALESCE_SECONDS = 0.003


class Wakeups:
    """Calls `look` on the loop's thread whenever the ring has something new, until closed."""

    def __init__(
        self, ring: Ring, loop: asyncio.AbstractEventLoop, look: Callable[[], None]
    ) -> None:
        self._ring = ring
        self._loop = loop
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        loop.add_reader(ring.data_eventfd, self._woken)
        self.ask_soon()

    def ask_soon(self) -> None:
        """Ask for a wake-up in a moment, unless that is about to be done already."""
        if self._timer is None:
            self._timer = self._loop.call_later(COALESCE_SECONDS, self._ask)

    def put_off(self) -> None:
        """Ask later than was meant, for somebody has just looked."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(COALESCE_SECONDS, self._ask)

    def close(self) -> None:
        """Let go of the ring's descriptor."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._loop.is_closed():
            self._loop.remove_reader(self._ring.data_eventfd)

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._ring.data_eventfd)
        self.ask_soon()
        self._look()

    def _ask(self) -> None:
        self._timer = None
        if self._ring.arm():
            self.ask_soon()
            self._look()
