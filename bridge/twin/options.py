"""What a twin is made of: the one record that the command line, the demo and tests fill in."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from bridge.twin.drain import DrainProfile
from bridge.twin.failure import TwinError
from bridge.twin.pool import DEFAULT_CAPACITY_BYTES
from bridge.twin.readings import Readings
from bridge.twin.sources import EXTERNAL_ONLY, MOST_SOURCES

__all__ = ["TwinError", "TwinOptions"]


@dataclass(frozen=True, kw_only=True)
class TwinOptions:
    """How many hosts, how they behave, where the twin listens and what it writes down."""

    hosts: int = 300
    clusters: int = 4
    datacenters: int = 1
    standalone_hosts: int = 0
    disabled_hosts: int = 0
    drain_bytes_per_second: float = 1024.0
    drain_profile: DrainProfile = DrainProfile.CONSTANT
    initial_level: float = 0.5
    sources: int = EXTERNAL_ONLY
    payload_bytes: int = 1024 * 1024
    boot_seconds: float = 60.0
    spread: float = 0.0
    seed: int = 1
    address: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False
    tls: bool = True
    username: str = "svc-entropy@vsphere.local"
    password_file: Path | None = None
    directory: Path | None = None
    record: Path | None = None
    fault_file: Path | None = None
    session_idle_seconds: float = 7200.0
    session_lifetime_seconds: float = 86_400.0
    max_sessions_per_user: int = 550
    max_body_bytes: int = 2 * 1024 * 1024
    speed: float = 1.0
    readings: Readings = field(default_factory=Readings)
    json: bool = False
    exit_with_stdin: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one line."""
        self._require(1 <= self.hosts <= 100_000, "hosts must be between 1 and 100000")
        self._require(0 <= self.clusters <= 5000, "clusters must be between 0 and 5000")
        self._require(1 <= self.datacenters <= 1000, "datacenters must be between 1 and 1000")
        self._require(
            0 <= self.standalone_hosts <= self.hosts, "standalone hosts are a part of all hosts"
        )
        self._require(
            0 <= self.disabled_hosts <= self.hosts, "disabled hosts are a part of all hosts"
        )
        self._require(
            0 <= self.drain_bytes_per_second < float("inf"),
            "the drain must be 0 or more bytes per second",
        )
        self._require(0 <= self.initial_level <= 1, "the initial level is a fraction from 0 to 1")
        self._require(
            0 <= self.sources <= MOST_SOURCES, f"sources must be between 0 and {MOST_SOURCES}"
        )
        self._require(self.payload_bytes >= 0, "the payload must not be negative")
        self._require(0 <= self.boot_seconds < float("inf"), "a boot takes 0 seconds or more")
        self._require(0 <= self.spread <= 1, "the spread is a fraction from 0 to 1")
        self._require(0 <= self.port <= 65535, "the port must be between 0 and 65535")
        self._require(0 < self.speed < float("inf"), "the speed must be above 0, and finite")
        self._require(
            self.session_idle_seconds > 0 and self.session_lifetime_seconds > 0,
            "a session must last for a while",
        )
        self._require(self.max_sessions_per_user >= 1, "a user must be allowed a session")
        self._require(self.max_body_bytes >= 1024, "the largest body must be at least 1024 bytes")
        self._require(
            self.allow_remote or self.is_loopback,
            f"{self.address} is not a loopback address; the twin is a simulator and keeps to "
            "127.0.0.1 or ::1 unless it is allowed to be reached from elsewhere",
        )

    @property
    def is_loopback(self) -> bool:
        """Return whether the twin listens where only this machine reaches it."""
        if self.address == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False

    @property
    def initial_level_bytes(self) -> int:
        """Return the level that hosts begin with, before the spread."""
        return round(DEFAULT_CAPACITY_BYTES * self.initial_level)

    def _require(self, condition: bool, message: str) -> None:
        if not condition:
            raise TwinError(message)
