# SPDX-License-Identifier: Apache-2.0
"""A cap in bytes per second: what may pass now, refilled as time goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST_SECONDS = 1.0  # what was not used is kept for no longer than this


class Bucket:
    """Lets `bytes_per_second` pass on average, and a second's worth at once.

    More may be taken than is there; nothing passes then until the debt is paid. The clock counts
    seconds and never goes back.
    """

    def __init__(self, bytes_per_second: float, clock: Callable[[], float]) -> None:
        self.bytes_per_second = bytes_per_second
        self._clock = clock
        self._most = bytes_per_second * _BURST_SECONDS
        self._level = self._most
        self._at = clock()

    @property
    def bytes_at_once(self) -> float:
        """The most that may pass after a rest."""
        return self._most

    def change(self, bytes_per_second: float) -> None:
        """Let another rate pass from now on; a debt stays."""
        self.allowance()
        self.bytes_per_second = bytes_per_second
        self._most = bytes_per_second * _BURST_SECONDS
        self._level = min(self._most, self._level)

    def allowance(self) -> int:
        """Bytes that may pass now; 0 while there is a debt."""
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._at) * self.bytes_per_second)
        self._at = now
        return max(0, int(self._level))

    def opens_at(self, n_bytes: int) -> float:
        """When `n_bytes` may pass, in the clock's seconds."""
        self.allowance()
        return self._at + max(0.0, n_bytes - self._level) / self.bytes_per_second

    def take(self, n_bytes: int) -> None:
        """Count bytes that pass."""
        self._level -= n_bytes

    def give_back(self, n_bytes: int) -> None:
        """Count bytes that did not pass after all."""
        self._level = min(self._most, self._level + n_bytes)
