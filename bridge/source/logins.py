# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to log in: one source at a time at each token, and none that was refused.

Several tables may mean one token, and all of them the same wrong PIN: each would cost a try, and a
token locks after a few. So a source process asks before it calls C_Login; it hears nothing while
another is at it, and is ended once one was refused. That a login begins is noted on disk before it
does: nobody knows how it went when the bridge dies in the middle of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.source.latch import PinLatch


class Logins:
    """What all sources of one process know of each other's logins; a token is any text for it."""

    def __init__(self) -> None:
        self.under_way: dict[str, Turns] = {}
        self.refused: dict[str, PinLatch] = {}
        self.good: set[tuple[str, Path]] = set()


class Turns:
    """The logins of one source's processes, one after another."""

    def __init__(self, logins: Logins, latch: PinLatch) -> None:
        self._logins = logins
        self._latch = latch
        self._token = ""  # that was logged in to last, with the PIN in this file
        self._pin_path: Path | None = None

    def begin(self, token: str, pin_path: Path) -> bool:
        """Begin a login if none is under way at the token; raises SourceRefused if none may be."""
        logins = self._logins
        other = logins.refused.get(token)
        if other is not None and other is not self._latch:
            if not other.is_set():  # somebody has undone it
                del logins.refused[token]
            elif (token, pin_path) not in logins.good:
                raise self._latch.set(f"its token has refused the PIN of hsm.{other.name}")
        if logins.under_way.setdefault(token, self) is not self:
            return False
        self._token, self._pin_path = token, pin_path
        announced = False
        try:
            announced = self._latch.announce()
        finally:
            if not announced:
                del logins.under_way[token]
        return announced

    def succeeded(self) -> None:
        """Note that the PIN was accepted, if a login is under way."""
        if self._pin_path is not None and self._is_under_way():
            self._logins.good.add((self._token, self._pin_path))
            self.ended()

    def refused(self, reason: str, pin_path: Path | None) -> None:
        """Note that it was refused, or that nobody knows."""
        if self._token:
            self._logins.refused[self._token] = self._latch
        self._latch.set(reason, pin_path)

    def ended(self) -> None:
        """Let others log in, if a login is under way."""
        if self._is_under_way():
            self._latch.withdraw()
            del self._logins.under_way[self._token]

    def _is_under_way(self) -> bool:
        return self._logins.under_way.get(self._token) is self
