"""How fast a host uses entropy, from what its readings show.

A sample is what was used between two readings. The near average goes through a median of three, so
that one odd reading moves nothing, and rises faster than it falls. The far average follows for
minutes, the peak is the steepest in half an hour; both take a sample that no other bears out at no
more than a few times what is usual. How long a level lasts is reckoned as if a burst like the peak
came next and then passed: hosts that burst are fed a little ahead of hosts that do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PRIOR_BYTES_PER_SECOND = 1024.0
"""Taken for a host until its own readings say otherwise."""
FLOOR_BYTES_PER_SECOND = 1.0
"""No host is taken to use less, so that every time to dry is finite."""
_SAMPLE_SECONDS = 1.0
_RISE_SECONDS = 2.0
_FALL_SECONDS = 40.0
_FAR_SECONDS = 300.0
_PEAK_SECONDS = 1800.0
_HIDDEN_FACTOR = 4.0
_PRIOR_SECONDS = 5.0
_USUAL_FACTOR = 4.0
_BURST_SECONDS = 10.0
_UNKNOWN_FACTOR = 16.0


@dataclass(slots=True)
class DrainEstimate:
    """One host's use of entropy in bytes per second."""

    near: float = PRIOR_BYTES_PER_SECOND
    """What it uses now."""
    far: float = PRIOR_BYTES_PER_SECOND
    """What it uses over minutes."""
    peak: float = PRIOR_BYTES_PER_SECOND
    """The most that it used of late, fading over half an hour."""
    others: float = 0.0
    """What hosts like it burst to on average; it may do so too, though it was not seen to."""
    _last: float = PRIOR_BYTES_PER_SECOND
    _last_but_one: float = PRIOR_BYTES_PER_SECOND
    _known_seconds: float = 0.0
    _used_bytes: float = 0.0
    _seconds: float = 0.0

    @property
    def possible(self) -> float:
        """What it may turn out to be using, for all that is known."""
        if not self._known_seconds:
            return PRIOR_BYTES_PER_SECOND * _UNKNOWN_FACTOR
        return max(self.peak, self.near, self._last, self.others)

    @property
    def unsettled(self) -> bool:
        """Say whether the last sample was steep, and the one after it has to show what it meant."""
        return self._last > 2.0 * self.near

    def until_used(self, level_bytes: float) -> float:
        """Return the average use to reckon with until this much is used up."""
        steep = max(self.near, self.peak, self._last, self.others)
        rate = max(steep, self.far)
        for _ in range(2):
            bursts = level_bytes / rate / _BURST_SECONDS
            share = -math.expm1(-bursts) / bursts if bursts > 0.0 else 1.0
            rate = self.far + (steep - self.far) * share
        return rate

    def add(self, used_bytes: float, seconds: float, *, hidden: bool = False) -> None:
        """Take in what was used in an interval; `hidden` says that somebody else fed too."""
        self._used_bytes += used_bytes
        self._seconds += seconds
        if self._seconds < _SAMPLE_SECONDS:
            return
        sample, span = max(0.0, self._used_bytes / self._seconds), self._seconds
        self.skip()
        fall = _HIDDEN_FACTOR if hidden else 1.0
        self._known_seconds += span
        middle = sorted((sample, self._last, self._last_but_one))[1]
        self._last_but_one, self._last = self._last, sample
        slow = _RISE_SECONDS if middle > self.near else _FALL_SECONDS * fall
        self.near = self._moved(self.near, middle, span, slow)
        usual = _USUAL_FACTOR * max(self.near, self.far, PRIOR_BYTES_PER_SECOND)
        borne_out = min(sample, max(usual, middle))
        self._learn_peak(borne_out, span)
        slow = _FAR_SECONDS if sample > self.far else _FAR_SECONDS * fall
        self.far = self._moved(self.far, borne_out, span, slow)

    def skip(self) -> None:
        """Forget the interval under way, since what arrived in it is not known."""
        self._used_bytes = 0.0
        self._seconds = 0.0

    def _moved(self, average: float, value: float, span: float, slow: float) -> float:
        """Return the average after a value that held for `span`; the first ones weigh more."""
        weight = max(-math.expm1(-span / slow), span / (self._known_seconds + _PRIOR_SECONDS))
        return max(FLOOR_BYTES_PER_SECOND, average + weight * (value - average))

    def _learn_peak(self, sample: float, span: float) -> None:
        if self._known_seconds == span:
            self.peak = sample
            return
        calm = min(self.peak, max(self.near, self.far))
        self.peak = max(sample, calm + (self.peak - calm) * math.exp(-span / _PEAK_SECONDS))
