"""How much of the time the HSM stands still for want of space: then requests are what is scarce.

A single moment does not tell. When answers are long on their way, many requests end at once, and
then the rings are not full although they were until now.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.feed.policy import Stock

_SMOOTH_SECONDS = 2.0
_MOSTLY = 0.5


class Standstill:
    """Finds it out from what became of the stock since it was looked at last."""

    def __init__(self) -> None:
        self.share = 0.0
        """Of the last seconds, from 0 to 1."""
        self._at = -math.inf
        self._available_bytes = 0

    @property
    def mostly(self) -> bool:
        """Say whether it adds less than half of what it could."""
        return self.share > _MOSTLY

    def look(self, now: float, stock: Stock) -> None:
        """Take in the stock; what was taken from it is to be seen before time goes on."""
        seconds = now - self._at
        if seconds > 0.0:
            possible = stock.rate_bytes_per_second * seconds
            added = stock.available_bytes - self._available_bytes
            still = 1.0 - min(1.0, max(0, added) / possible) if possible > 0.0 else 0.0
            self.share += (still - self.share) * -math.expm1(-seconds / _SMOOTH_SECONDS)
        self._at, self._available_bytes = now, stock.available_bytes
