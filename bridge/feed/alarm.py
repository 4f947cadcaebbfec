"""Wakes one sleeper: when its time has come or it is rung for, but not before it has rested."""

from __future__ import annotations

import asyncio


class Alarm:
    """For one sleeper, on its loop's thread. Rung for while nobody sleeps, it counts for the next.

    However often it rings, the loop has one timer to look after, and two where the first was set
    to a later moment than the end of the rest.
    """

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._set_to = 0.0  # in the loop's time, as is what follows
        self._rested_at = 0.0

    def ring(self) -> None:
        """Wake the sleeper as soon as it has rested."""
        self._rung = True
        if self._sleeper is not None and self._set_to > self._rested_at:
            self._set(self._sleeper, self._rested_at)

    async def sleep(self, rest_seconds: float, seconds: float) -> None:
        """Sleep for `seconds`, or less when it rings; for `rest_seconds` at least."""
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        self._rested_at = loop.time() + rest_seconds
        short = self._rung or seconds < rest_seconds
        self._set(self._sleeper, self._rested_at if short else loop.time() + seconds)
        try:
            await self._sleeper
        finally:
            self._rung = False
            self._sleeper = None
            self._unset()

    def _set(self, sleeper: asyncio.Future[None], moment: float) -> None:
        self._unset()
        self._set_to = moment
        self._timer = sleeper.get_loop().call_at(moment, self._wake)

    def _unset(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)
