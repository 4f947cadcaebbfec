"""Whether somebody else feeds a host too: only rises that nobody here caused show that.

Bytes for which a host has no room any more leave it full, and a level below what was to be expected
is not the doing of somebody who adds to it. Two bridges that fill a host at every visit would take
what the other brings for a lower drain. So every few readings a host is left as it is and looked at
in half of the usual time: if somebody came in between, it has risen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SHARED_SECONDS = 600.0
_RISES_SECONDS = 1800.0
_READINGS_TO_LISTEN = 8


@dataclass(slots=True)
class Sharing:
    """What was seen of others at one host."""

    until: float = -math.inf
    """Up to here it is taken to be shared."""
    _risen_at: float = -math.inf
    _readings_to_listen: int = _READINGS_TO_LISTEN

    def rose(self, now: float) -> None:
        """Note a rise that nobody here caused; the first one may be an odd reading."""
        if now - self._risen_at < _RISES_SECONDS:
            self.until = now + _SHARED_SECONDS
        self._risen_at = now

    def listens(self, turn: float, *, may_rise: bool) -> bool:
        """Say, once per reading, whether to leave the host alone now; `turn` is 0 to 1.

        It varies, since two who listen at the same time hear nothing of each other.
        """
        self._readings_to_listen -= 1
        if self._readings_to_listen > 0 or not may_rise:
            return False
        self._readings_to_listen = _READINGS_TO_LISTEN + int(_READINGS_TO_LISTEN * turn)
        return True
