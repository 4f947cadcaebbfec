"""The twin's own time: it can run faster than the wall clock, jump, or stand still for a test."""

import time
from collections.abc import Callable

# Drains are worked out cell by cell of a few seconds, for every host, so a jump takes its time.
MOST_JUMP_SECONDS = 7 * 86_400.0


class Clock:
    """Seconds since the twin began, and the wall time that belongs to them."""

    def __init__(
        self,
        source: Callable[[], float] = time.monotonic,
        *,
        speed: float = 1.0,
        began_at: float | None = None,
    ) -> None:
        """Take seconds from source (a constant one stands still), times speed."""
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self._source = source
        self._speed = speed
        self._origin = source()
        self._jumped_seconds = 0.0
        self._began_at = time.time() if began_at is None else began_at

    def now(self) -> float:
        """Return the seconds since the twin began; never less than before."""
        return (self._source() - self._origin) * self._speed + self._jumped_seconds

    def wall(self, at_seconds: float) -> float:
        """Return the seconds since 1970 that belong to a moment of now()."""
        return self._began_at + at_seconds

    def outside(self, seconds: float) -> float:
        """Return how long a span of the twin's time is to a client, who lives in real time."""
        return seconds / self._speed

    def jump(self, seconds: float) -> None:
        """Move time forward at once; time never runs backwards."""
        if seconds < 0:
            raise ValueError("time cannot jump backwards")
        self._jumped_seconds += seconds


def standing_clock() -> Clock:
    """Return a clock that moves by jump() alone."""
    return Clock(lambda: 0.0, began_at=1_700_000_000.0)
