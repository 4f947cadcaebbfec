"""What vCenter says of hosts and of their entropy pools, in bytes and seconds."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class HostSummary:
    """One host of the inventory; `power_state` is known of connected hosts only."""

    host: str
    name: str
    connection_state: str
    power_state: str | None = None

    @property
    def connected(self) -> bool:
        """Whether vCenter can reach the host now."""
        return self.connection_state == "CONNECTED"


class Levels(NamedTuple):
    """A host's external entropy pool as of one reply."""

    capacity_bytes: int
    available_bytes: int
    low_watermark_bytes: int
    inactive_source_timeout_seconds: int
    low_watermark_was_bits: bool = False

    @property
    def room_bytes(self) -> int:
        """What the pool can take; a host may report more available than its capacity."""
        return max(0, self.capacity_bytes - self.available_bytes)


class PoolStatus(StrEnum):
    """Whether the host takes entropy from outside."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class Pool:
    """A host's answer about its pool; `levels` is None when the pool is disabled."""

    status: PoolStatus
    levels: Levels | None
