"""An asyncio loop in virtual time: nothing sleeps, its clock jumps to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


class _Jumps(selectors.SelectSelector):
    """Waits for nothing but the time, and for that in no time."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing is due any more, for ever")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what uses timers, futures and tasks, and no file descriptors or threads."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumps.now


def run_virtually(main: Coroutine[None, None, None]) -> None:
    """Run this to its end, however long it takes in its own time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)
