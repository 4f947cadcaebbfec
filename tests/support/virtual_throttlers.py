"""What turns requests away in virtual time: by chance, by their rate, or by how many there are."""

from __future__ import annotations

import random


class ByChance:
    """Refuses a share, however few are sent: a gateway that others have nearly exhausted."""

    def __init__(self, share: float, retry_after_seconds: float | None = None) -> None:
        self.n_refused = 0
        self.retry_after_seconds = retry_after_seconds
        self._share = share
        self._dice = random.Random(1)

    def admits(self, now: float) -> bool:
        return self._dice.random() >= self._share

    def left(self) -> None:
        pass


class ByRate:
    """A bucket of tokens, a second's worth at most and at least one."""

    def __init__(self, per_second: float, retry_after_seconds: float | None = None) -> None:
        self.n_refused = 0
        self.retry_after_seconds = retry_after_seconds
        self._per_second = per_second
        self._tokens = 0.0
        self._at = 0.0

    def admits(self, now: float) -> bool:
        tokens = self._tokens + self._per_second * (now - self._at)
        self._tokens, self._at = min(max(1.0, self._per_second), tokens), now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def left(self) -> None:
        pass


class ByNumber:
    """Deals with so many at once."""

    def __init__(self, most: int, retry_after_seconds: float | None = None) -> None:
        self.n_refused = 0
        self.retry_after_seconds = retry_after_seconds
        self._most = most
        self._n = 0

    def admits(self, now: float) -> bool:
        if self._n >= self._most:
            return False
        self._n += 1
        return True

    def left(self) -> None:
        self._n -= 1
