# SPDX-License-Identifier: Apache-2.0
"""What a source shows of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RATE_SECONDS = 10.0  # over which the rate is averaged


class SourceState(Enum):
    """What a source does."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"  # ended; another is started after a while
    LATCHED_PIN = "latched_pin"  # the PIN was refused; for good
    LATCHED_HEALTH = "latched_health"  # an output test latched; until somebody starts it anew
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source, now. Bytes are raw."""

    name: str
    state: SourceState
    is_soft_token: bool
    bytes_per_second: float  # that it adds while there is space
    reserve_bytes: int
    capacity_bytes: int
    restarts: int = 0
    errors: int = 0  # CKRs other than CKR_OK from C_GenerateRandom
    test_failures: Mapping[str, int] = field(default_factory=dict)  # by output test
    slowest_call_seconds: float = 0.0
    last_error: str = ""  # empty while it runs well
    pid: int | None = None
    token: str = ""  # label, serial and model, once known


class Rate:
    """Bytes per second while there is space, averaged over RATE_SECONDS, or less at first."""

    def __init__(self) -> None:
        self.bytes_per_second = 0.0
        self._known_seconds = 0.0

    def sample(self, n_bytes: int, seconds: float, *, full: bool) -> None:
        """Count what came in `seconds`; `full` says that there was no space for more at the end."""
        if seconds <= 0:
            return
        now = n_bytes / seconds
        if full or not (n_bytes or self._known_seconds):
            # It could have given more; what it gave is a lower bound.
            self.bytes_per_second = max(self.bytes_per_second, now)
            return
        self._known_seconds += seconds
        weight = max(-math.expm1(-seconds / RATE_SECONDS), seconds / self._known_seconds)
        self.bytes_per_second += weight * (now - self.bytes_per_second)
