# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to log in: one source at a time at each token, and no PIN that it refused.

Several tables may mean one token, and all of them the same wrong PIN: each would cost a try, and a
token locks after a few. So a source process asks before it calls C_Login; it hears nothing while
another is at it, and is ended once the token has refused the PIN in the same file. That a login
begins is noted on disk before it does: nobody knows how it went when the bridge dies in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.source.latch import PinLatch

NO_TURN = "waited for its turn to log in: another login at its token does not end"

_Stamp: TypeAlias = tuple[int, ...]
"""Of a PIN's file as it was before a login: changed, it may hold another; empty: not known."""


class Logins:
    """What all sources of one process know of each other's logins; a token is any text for it."""

    def __init__(self) -> None:
        self.under_way: dict[str, Turns] = {}
        self.refused: dict[tuple[str, Path], PinLatch] = {}
        self.good: dict[tuple[str, Path], _Stamp] = {}


def token_named(told: Mapping[str, object], module: Path) -> str:
    """Name a token by what is told of it, alike by whatever module it is reached."""
    if told.get("serial"):  # which some modules give to all of their tokens
        return ", ".join(str(told.get(key)) for key in ("manufacturer", "model", "serial", "label"))
    return f"slot {told.get('slot')} of {module}"


class Turns:
    """The logins of one source's processes, one after another."""

    def __init__(self, logins: Logins, latch: PinLatch) -> None:
        self._logins = logins
        self._latch = latch
        self._last: tuple[str, Path] | None = None  # token and PIN
        self._stamp: _Stamp = ()  # of that PIN

    def begin(self, token: str, pin_path: Path) -> bool:
        """Begin a login if none is under way at the token; raises SourceRefused if none may be."""
        logins, key = self._logins, (token, pin_path)
        other = logins.refused.get(key)
        if other is not None and other is not self._latch:
            if other.is_set():
                reason = f"its token has refused the PIN of hsm.{other.name}"
                raise self._latch.set(reason, pin_path)
            del logins.refused[key]  # somebody has undone it
        if logins.under_way.setdefault(token, self) is not self:
            return False
        self._last, self._stamp = key, _stamp(pin_path)
        known_good = bool(self._stamp) and logins.good.get(key) == self._stamp
        announced = False
        try:
            announced = self._latch.announce(pin_path, known_good=known_good)
        finally:
            if not announced:
                del logins.under_way[token]
        return announced

    def know(self, pin_path: Path) -> bool:
        """Tell whether some token has accepted the PIN in this file, as it is now."""
        stamp = _stamp(pin_path)
        return bool(stamp) and any(
            path == pin_path and good == stamp for (_, path), good in self._logins.good.items()
        )

    def succeeded(self) -> None:
        """Note that the PIN was accepted, if a login is under way."""
        if self._last is not None and self.are_under_way:
            self._logins.good[self._last] = self._stamp
            self.ended()

    def refused(self, reason: str, pin_path: Path | None) -> None:
        """Note that it was refused, or that nobody knows."""
        if self._last is not None:
            self._logins.refused[self._last] = self._latch
            self._logins.good.pop(self._last, None)
        self._latch.set(reason, pin_path)

    def ended(self) -> None:
        """Let others log in, if a login is under way; a refusal is to be noted first."""
        if self._last is not None and self.are_under_way:
            del self._logins.under_way[self._last[0]]
            self._latch.withdraw()

    @property
    def are_under_way(self) -> bool:
        """Whether a login was begun, and it is not known yet how it ended."""
        return self._last is not None and self._logins.under_way.get(self._last[0]) is self


def _stamp(pin_path: Path) -> _Stamp:
    try:
        info = pin_path.stat()
    except OSError:
        return ()
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns
