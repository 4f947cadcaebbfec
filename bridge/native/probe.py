# SPDX-License-Identifier: Apache-2.0
"""What a probe of C_GenerateRandom saw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbedCall:
    """One call: its CKR, and what became of the buffer."""

    length_bytes: int
    ckr: int
    seconds: float
    unwritten: bool  # it said CKR_OK, and a part of the buffer was left as it was
    spilled: bool  # it wrote beyond what was asked for


@dataclass(frozen=True, slots=True)
class ProbedCell:
    """Calls of one length in some sessions at a time; latencies are of the calls that succeeded."""

    call_bytes: int
    sessions: int  # that there were
    calls: int  # that succeeded
    seconds: float
    ckr: int  # CKR_OK, or of a call that ended its session's part
    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    max_seconds: float

    @property
    def bytes_per_second(self) -> float:
        """Raw bytes handed over."""
        return self.calls * self.call_bytes / self.seconds if self.seconds else 0.0
