"""What the planner is told: the rules that stand and the bytes that are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

GROUP_BYTES = 3
"""Requests are whole Base64 groups; room below one group counts as full."""

_STEEP_MARGIN = 0.06
_TOP_UP_MARGIN = 0.09


@dataclass(frozen=True, slots=True)
class Policy:
    """The standing rules of one planner; fractions are of a host's capacity."""

    refill_below: float = 0.9
    """A host under this level is visited with bytes for its own sake."""
    max_add_bytes: int = 256 * 1024
    """The most that one request carries, where its group has no limit of its own."""
    min_feed_bytes: int = 3 * 1024
    """The least that is worth a request while the host has room for more."""
    min_look_seconds: float = 1.0
    """No host is looked at more often than this only because its level moves."""
    low_looks_per_second: float = 150.0
    """What looks at hosts below their watermark may add up to in a group, beyond a look each in an
    eighteenth of its timeout."""
    top_ups_per_second: float = 25.0
    """How many hosts get bytes that would else lie idle before a look at them is due, so that an
    outage finds hosts full; while the HSM falls short of what they use, it may be more."""
    imminent_seconds: float = 10.0
    """A host that runs dry within this time is fed before any look that can wait."""

    def __post_init__(self) -> None:
        if not 0.0 < self.refill_below <= 1.0:
            raise ValueError("refill_below must be over 0 and at most 1")
        if self.max_add_bytes < GROUP_BYTES or self.min_feed_bytes < GROUP_BYTES:
            raise ValueError("max_add_bytes and min_feed_bytes must be at least 3")
        if self.min_look_seconds <= 0.0 or self.low_looks_per_second <= 0.0:
            raise ValueError("min_look_seconds and low_looks_per_second must be over 0")
        if self.top_ups_per_second <= 0.0:
            raise ValueError("top_ups_per_second must be over 0")
        if self.imminent_seconds < 0.0:
            raise ValueError("imminent_seconds must be at least 0")

    @property
    def steep_refill_below(self) -> float:
        """As refill_below, for hosts that use much more than most and would be dry first."""
        return min(1.0, self.refill_below + _STEEP_MARGIN)

    @property
    def top_up_below(self) -> float:
        """Under this level bytes are brought when a look is due anyway or the HSM would rest."""
        return min(1.0, self.refill_below + _TOP_UP_MARGIN)

    def least_worth_bytes(self, capacity_bytes: int) -> int:
        """Return the room from which on a request to a host of this capacity is worth its while."""
        return max(GROUP_BYTES, min(self.min_feed_bytes, capacity_bytes // 16))


class Stock(NamedTuple):
    """The bytes that can be sent now, and what comes after them."""

    available_bytes: int
    """Ready to be taken, raw bytes, after every cap that the caller keeps."""
    capacity_bytes: int
    """What the rings hold when they are full, so that the HSM stands still."""
    rate_bytes_per_second: float = 0.0
    """What the HSM adds while there is space; 0 when it adds nothing or nobody knows."""
    most_bytes: int = 1 << 62
    """What can be ready at all: a cap lets no more through at once, however long one waits."""

    def after(self, taken_bytes: int) -> Stock:
        """Return what is left when so many bytes were taken."""
        return Stock(
            self.available_bytes - taken_bytes,
            self.capacity_bytes,
            self.rate_bytes_per_second,
            self.most_bytes,
        )

    def nearly_full(self, in_flight_bytes: int) -> bool:
        """Say whether the HSM is about to stand still for want of space, or of what a cap grants.

        Requests under way still hold in_flight_bytes of the rings.
        """
        capacity = min(self.capacity_bytes - in_flight_bytes, self.most_bytes)
        return (
            self.available_bytes > 0
            and self.rate_bytes_per_second > 0.0
            and self.available_bytes * 4 >= capacity * 3
        )
