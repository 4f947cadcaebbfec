"""How long to leave a vCenter alone that turns requests away and does not say for how long."""

from __future__ import annotations

from collections import deque

_SECONDS = (0.1, 1.0)
_HELPED_FACTOR = 1.1
_WINDOW = 20  # ended requests, of which most must have been taken before pauses become short


class Patience:
    """One vCenter's pauses: as long as they help, short where they do not.

    What counts requests in a time takes the first one after a pause. What turns away a share of
    them, because it is others who ask too much, turns that one away as often as any: then waiting
    is no remedy, and costs what could have been brought meanwhile. One that turns most away is
    left alone for longer again. All times are the caller's, in seconds.
    """

    def __init__(self) -> None:
        self._seconds = _SECONDS[1]
        self._until = float("inf")  # the end of the pause of which it is not known if it helped
        self._recent: deque[bool] = deque(maxlen=_WINDOW)  # True: turned away

    def taken(self, began_at: float) -> None:
        """Note that a request was dealt with."""
        self._recent.append(False)
        if began_at >= self._until:
            self._set(self._seconds * _HELPED_FACTOR)

    def turned_away(self, began_at: float, now: float) -> float:
        """Note that a request was not; returns the seconds of the pause that begins now."""
        self._recent.append(True)
        if began_at >= self._until:
            few = 2 * sum(self._recent) < len(self._recent)
            self._set(self._seconds * (0.5 if few else 2.0))
        self._until = now + self._seconds
        return self._seconds

    def _set(self, seconds: float) -> None:
        self._seconds = min(_SECONDS[1], max(_SECONDS[0], seconds))
        self._until = float("inf")
