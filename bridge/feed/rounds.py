"""When to look at a vCenter's inventory: once a minute, and soon when there is a reason."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

INVENTORY_SECONDS = 60.0
_MISSED_SECONDS = 5.0  # after a look at the inventory none is made for a host that is gone


class Rounds:
    """The looks at one vCenter's inventory. All times are the caller's, in seconds."""

    def __init__(self) -> None:
        self._hurry = asyncio.Event()
        self.asked_at = float("-inf")
        self._missed_seconds = _MISSED_SECONDS

    async def run(self, look: Callable[[], Awaitable[float]]) -> None:
        """Look for ever; `look` says after how many seconds to do so again."""
        while True:
            self._hurry.clear()
            pause = await look()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurry.wait()

    def hurry(self) -> None:
        """Look now rather than within a minute."""
        self._hurry.set()

    def asked(self, now: float) -> None:
        """Note that a look begins."""
        self.asked_at = now

    def taken(self, *, is_new: bool) -> None:
        """Note what came of it: whether it was another inventory than before."""
        longer = min(2.0 * self._missed_seconds, INVENTORY_SECONDS)
        self._missed_seconds = _MISSED_SECONDS if is_new else longer

    def missed(self, now: float) -> None:
        """Look soon: a host is not found; it may be there under another id, or others are.

        One that stays in the list and is not found has it looked at less and less often.
        """
        if now - self.asked_at >= self._missed_seconds:
            self.hurry()
