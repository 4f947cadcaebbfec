"""What the bridge shows of itself: plain frozen values, filled in by the daemon.

Metrics, status page and commands read these and nothing else, so none of them needs to know how
the bridge works. Times are seconds since the epoch unless the name says otherwise.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class HostState(StrEnum):
    """What is known of a host's pool."""

    FED = "fed"  # read, and fed when it has room
    WAITING = "waiting"  # not read yet
    DISABLED = "disabled"  # takes no entropy from outside
    UNREACHABLE = "unreachable"  # vCenter does not reach the host
    REFUSED = "refused"  # vCenter refuses: a privilege is missing
    UNCERTAIN = "uncertain"  # the fate of the last request is unknown; read before fed again


class SourceState(StrEnum):
    """What a source does."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"  # ended; is started anew in a while
    LATCHED_PIN = "latched_pin"  # the token refused the PIN; never tried again
    LATCHED_HEALTH = "latched_health"  # an output test failed for good
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host's pool, estimated for the time of the snapshot from its last reading.

    One that cannot be read any more goes on being estimated: nobody can feed it, but it drains.
    """

    vcenter: str
    host: str
    name: str
    state: str  # a HostState
    available_bytes: int | None = None
    capacity_bytes: int | None = None
    low_watermark_bytes: int | None = None
    drain_bytes_per_second: float | None = None
    seconds_to_dry: float | None = None  # unfed; inf: it does not drain; None: not known
    shared: bool = False  # another bridge seems to feed it too
    last_success: float | None = None  # when a reading or an add last succeeded
    cluster: str = ""  # empty: in none, or not asked for

    @property
    def is_low(self) -> bool:
        """Tell whether the pool is known to be under its low watermark."""
        if self.available_bytes is None or self.low_watermark_bytes is None:
            return False
        return self.available_bytes < self.low_watermark_bytes


def by_time_to_dry(row: HostRow) -> tuple[float, float, str, str]:
    """Sort key: what runs dry first comes first, then what is not known, by name at last.

    A host that takes nothing cannot be helped by looking at it, and comes after all others.
    """
    dry = math.inf if row.seconds_to_dry is None else row.seconds_to_dry
    if row.available_bytes is None or not row.capacity_bytes:
        takes_nothing = row.state == HostState.DISABLED
        return (math.inf, 3.0 if takes_nothing else 2.0, row.vcenter, row.name)
    return (dry, row.available_bytes / row.capacity_bytes, row.vcenter, row.name)


@dataclass(frozen=True, slots=True)
class Account:
    """Where every raw byte that a source's module handed over has gone.

    generated = failed + startup + lost + delivered + refused + unknown + purged
    + in_ring + in_flight
    """

    generated: int = 0
    failed: int = 0  # by an output test
    startup: int = 0  # spent on start-up tests
    lost: int = 0  # with a source that ended
    delivered: int = 0
    refused: int = 0  # answered with an error status
    unknown: int = 0  # sent, and no answer came
    purged: int = 0  # after a suspend or a clone
    in_ring: int = 0
    in_flight: int = 0

    @property
    def closes(self) -> bool:
        """Tell whether every byte is accounted for."""
        return self.generated == (
            self.failed
            + self.startup
            + self.lost
            + self.delivered
            + self.refused
            + self.unknown
            + self.purged
            + self.in_ring
            + self.in_flight
        )


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One HSM's source process."""

    name: str
    state: str  # a SourceState
    is_soft_token: bool = False
    token: str = ""  # label, serial and model, as far as they are known
    bytes_per_second: float = 0.0
    reserve_available_bytes: int = 0
    reserve_capacity_bytes: int = 0
    restarts: int = 0
    errors: int = 0  # CKRs other than CKR_OK
    test_failures: Mapping[str, int] = field(default_factory=dict)  # by output test
    account: Account = Account()
    last_error: str = ""
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class VCenterRow:
    """One vCenter, as the bridge sees it."""

    name: str
    url: str
    is_connected: bool
    lists_hosts: bool = True  # when it was last asked for them
    n_hosts: int = 0
    in_flight: int = 0
    in_flight_limit: int = 0
    requests: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (operation, outcome)
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """The configuration in force, and what came of the last attempt to put another in its place."""

    in_force_since: float = 0.0
    reload_error: str = ""  # why the last one was refused; empty: it was not, or there was none


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole bridge at one moment."""

    time: float
    started: float
    version: str
    kernel: str  # of Base64
    hosts: tuple[HostRow, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    vcenters: tuple[VCenterRow, ...] = ()
    look_lateness_seconds: float = 0.0  # of the host whose look is most overdue
    not_ready: tuple[str, ...] = ()  # reasons; empty: ready
    warnings: tuple[str, ...] = ()  # what an operator should know, one line each
    config: ConfigRow = ConfigRow()

    @property
    def is_ready(self) -> bool:
        """Tell whether everything runs that must run."""
        return not self.not_ready


SnapshotSource = Callable[[], Snapshot]


@dataclass(frozen=True, slots=True)
class FillProgress:
    """How far a one-shot fill is."""

    n_hosts: int  # to fill
    n_hosts_done: int
    target_bytes: int  # the room that was found
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class FilledHost:
    """What a fill did for one host."""

    row: HostRow  # after it
    sent_bytes: int
    error: str = ""  # why it was not filled; one line


@dataclass(frozen=True, slots=True)
class FillResult:
    """What a fill did."""

    hosts: tuple[FilledHost, ...]
    sent_bytes: int
    duration_seconds: float

    @property
    def n_failed(self) -> int:
        """Hosts that were not filled."""
        return sum(1 for host in self.hosts if host.error)
