"""What the planner can say about its hosts, for the status page and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.feed.hoststate import HostState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.feed.decision import HostKey
    from bridge.feed.hoststate import Host


@dataclass(frozen=True, slots=True)
class HostOutlook:
    """One host now; levels are estimates from its last reading, None before the first one."""

    key: HostKey
    state: HostState
    reason: str
    shared: bool
    available_bytes: int | None
    capacity_bytes: int | None
    low_watermark_bytes: int | None
    drain_bytes_per_second: float
    seconds_to_dry: float | None
    seconds_since_reading: float | None
    late_share: float = 0.0
    """How late its next look is, in thirds of its timeout; negative while there is time."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How far looks are behind a third of each host's timeout."""

    overdue: int
    worst_seconds: float

    @property
    def keeps_up(self) -> bool:
        """True when no host waits longer for a look than it should."""
        return self.overdue == 0


def outlook_of(host: Host, now: float) -> HostOutlook:
    """Return what is known of one host.

    What somebody else brings looks like a lower drain; unfed, the host would use what it used when
    nobody came in between, which is the most that was seen. One that can be looked at and loses all
    that it is sent is as good as absent.
    """
    reading, losses = host.reading, host.losses
    level, shared = host.level_at(now), host.shared_at(now)
    drain = host.drain.possible if shared else host.drain.until_used(level)
    to_dry = level / drain if shared else max(0.0, host.dry_at - now)
    return HostOutlook(
        key=host.key,
        state=HostState.ABSENT if losses.persist else host.state,
        reason=losses.reason if losses.persist else host.reason,
        shared=shared,
        available_bytes=int(level) if reading else None,
        capacity_bytes=reading.capacity_bytes if reading else None,
        low_watermark_bytes=reading.low_watermark_bytes if reading else None,
        drain_bytes_per_second=drain,
        seconds_to_dry=to_dry if reading else None,
        seconds_since_reading=now - host.read_at if reading else None,
        late_share=(now - host.look_deadline) * 3.0 / host.timeout_seconds,
    )


def lateness_of(hosts: Iterable[Host], now: float) -> Lateness:
    """Return how late the looks at these hosts are; absent hosts have no deadline."""
    late = [
        now - host.look_deadline
        for host in hosts
        if host.state is not HostState.ABSENT and now > host.look_deadline
    ]
    return Lateness(overdue=len(late), worst_seconds=max(late, default=0.0))
