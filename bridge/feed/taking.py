"""Whether a host takes what it is sent: bytes that were accepted and are not in its pool.

A host that uses much between two readings looks the same for a while. What it may have used is
reckoned from the moment at which the earlier reading was asked for, since an answer may be long on
its way, and only what is beyond that, summed up, says that it does not take them. Then it is sent
nothing for a while, longer each time, and the while counts from that moment: looks at it go on, and
do not put it off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_PLAUSIBLE_SHARE = 1.0 / 16.0  # of the capacity: in a second, and as a burst on top
_PLAUSIBLE_FACTOR = 4.0  # times the steepest drain that was seen
_TIMES_BEFORE_HOLD = 2
_HOLD_SECONDS = 5.0
_HOLD_SECONDS_MOST = 60.0


@dataclass(slots=True)
class Taking:
    """What one host made of the bytes that it was sent."""

    held_until: float = -math.inf
    """Up to here it is sent nothing."""
    missing_bytes: float = 0.0
    """What is gone beyond what it may have used."""
    _times: int = 0

    def explains(
        self,
        used_bytes: int,
        sent_bytes: int,
        seconds: float,
        *,
        peak_bytes_per_second: float,
        capacity_bytes: int,
        now: float,
    ) -> bool:
        """Say whether the host may have used what it has less; `seconds` is the longest interval.

        An interval that is not explained says nothing of the host's drain.
        """
        share = capacity_bytes * _PLAUSIBLE_SHARE
        plausible = max(_PLAUSIBLE_FACTOR * peak_bytes_per_second, share) * seconds
        if used_bytes * 2 <= sent_bytes:
            self._times, self.missing_bytes = 0, 0.0
        if used_bytes - sent_bytes > plausible + share:
            return True  # what it held before is gone too: a burst, or an odd reading
        unexplained = used_bytes - plausible
        if unexplained <= 0.0:
            return True
        self.missing_bytes += unexplained
        if self.missing_bytes <= share:
            return False
        self.missing_bytes = 0.0
        self._times += 1
        if self._times >= _TIMES_BEFORE_HOLD:
            hold = _HOLD_SECONDS * 2.0 ** min(self._times - _TIMES_BEFORE_HOLD, 8)
            self.held_until = now + min(_HOLD_SECONDS_MOST, hold)
        return False
