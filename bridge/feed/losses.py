"""Bytes that a host was sent and did not get: it is sent fewer then, and later.

Looks may go on as if nothing were wrong: of a user who may read and not write, through a proxy that
breaks whatever is large. A visit after each look would lose all that it brings, and in the end what
the HSM gives to everybody. Once is chance; the next time the host gets a piece, and from then on a
smaller one, after a while that is longer each time. What arrives ends that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UNANSWERED = "what it is sent is lost"
_PIECE_BYTES = 768
_HOLD_SECONDS_MOST = 30.0
_EVERYWHERE = 8  # in a row at hosts of one vCenter: all get pieces until one arrives


@dataclass(slots=True)
class Losses:
    """One host's."""

    in_a_row: int = 0
    reason: str = ""
    held_until: float = -math.inf
    """Up to here it is sent nothing."""
    doubtful_bytes: int = 0
    """Sent, and the next reading has to show whether they arrived."""

    @property
    def persist(self) -> bool:
        """Say whether it is more than chance, so that the host has to be called unfed."""
        return self.in_a_row > 1

    def lost(self, reason: str, now: float) -> None:
        """Note that what a visit brought is lost."""
        self.in_a_row += 1
        self.reason = reason
        if self.persist:
            self.held_until = now + min(_HOLD_SECONDS_MOST, 2.0 ** (self.in_a_row - 2))

    def arrived(self) -> None:
        """Note that what a visit brought is in the host's pool."""
        self.in_a_row = 0
        self.held_until = -math.inf

    def have_shown(self, risen_bytes: int) -> bool:
        """Say whether a level that rose so much holds what was doubtful, which ends here."""
        doubtful, self.doubtful_bytes = self.doubtful_bytes, 0
        return 2 * risen_bytes >= doubtful

    def most_bytes(self, limit_bytes: int, in_a_row_everywhere: int) -> int:
        """Return how much of what one request may carry is risked."""
        if in_a_row_everywhere >= _EVERYWHERE:
            return min(limit_bytes, _PIECE_BYTES)
        return min(limit_bytes, max(_PIECE_BYTES, limit_bytes >> 2 * self.in_a_row))
