"""What a command has seen of one host: its last reading, and what the readings tell of its use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.vcenter.types import Levels

SAMPLE_SECONDS = 2.0  # between two readings that tell what a host uses; less is too coarse


@dataclass(slots=True)
class Seen:
    """One host. Times are the caller's, in seconds on a clock that never goes back."""

    levels: Levels
    at: float
    drain_bytes_per_second: float | None = None
    """None until two readings tell it; what they told stays when later ones cannot."""
    _since: float = 0.0
    _held_bytes: int = 0  # at `_since`, and what it was sent after that

    @classmethod
    def first(cls, levels: Levels, now: float) -> Seen:
        """Begin with a reading."""
        return cls(levels, now, None, now, levels.available_bytes)

    def read(self, levels: Levels, now: float) -> None:
        """Take in a reading, and count from it."""
        self._take(levels, now)
        self._since, self._held_bytes = now, levels.available_bytes

    def sent(self, n_bytes: int, levels: Levels, now: float) -> None:
        """Take in what the host holds after it was sent so much."""
        self._held_bytes += n_bytes
        self._take(levels, now)

    def available_at(self, now: float) -> int:
        """Estimate what it holds if nobody fed it since."""
        used = (self.drain_bytes_per_second or 0.0) * (now - self.at)
        return max(0, int(self.levels.available_bytes - used))

    def seconds_to_dry_at(self, now: float) -> float | None:
        """Return how long it lives unfed; inf if it does not drain, None if that is not known."""
        available = self.available_at(now)
        if not available:
            return 0.0
        drain = self.drain_bytes_per_second
        if drain is None:
            return None
        return available / drain if drain else float("inf")

    def _take(self, levels: Levels, now: float) -> None:
        used, seconds = self._held_bytes - levels.available_bytes, now - self._since
        if used >= 0 and seconds >= 0.9 * SAMPLE_SECONDS:  # or somebody else fed it
            self.drain_bytes_per_second = used / seconds
        self.levels, self.at = levels, now
