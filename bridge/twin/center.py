"""The vCenter behind every face: its state and its operations, without any wire format."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.twin.clock import Clock
from bridge.twin.errors import ApiError, host_not_found, host_unavailable, internal_error
from bridge.twin.faults import FaultPlan
from bridge.twin.fleet import Fleet, Host
from bridge.twin.pool import Added, Levels
from bridge.twin.readings import DisabledAddition, Readings, UnreachableHost
from bridge.twin.recorder import Recorder
from bridge.twin.sessions import Sessions


@dataclass
class Counts:
    """What was asked of the twin since it began."""

    requests: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    accepted_bytes: int = 0
    discarded_bytes: int = 0


@dataclass
class Center:
    """One vCenter with its fleet."""

    clock: Clock
    fleet: Fleet
    sessions: Sessions
    faults: FaultPlan = field(default_factory=FaultPlan)
    recorder: Recorder | None = None
    max_body_bytes: int = 2 * 1024 * 1024
    counts: Counts = field(default_factory=Counts)

    @property
    def readings(self) -> Readings:
        """Return what the twin makes of what the documents leave open."""
        return self.fleet.readings

    def pool_get(self, host_id: str) -> Levels | None:
        """Return the levels of a host's pool, or None if the pool is disabled."""
        host = self._reachable(host_id)
        if not host.entropyd.enabled:
            return None
        return self._told(host.entropyd.read(self.clock.now()))

    def pool_add(self, host_id: str, n_bytes: int) -> Added:
        """Add bytes to a host's pool."""
        host = self._reachable(host_id)
        if not host.entropyd.enabled:
            raise DISABLED_ADDITION[self.readings.disabled_addition](host_id)
        added = host.entropyd.add(n_bytes, self.clock.now())
        self.counts.accepted_bytes += added.accepted_bytes
        self.counts.discarded_bytes += n_bytes - added.accepted_bytes
        return added._replace(levels=self._told(added.levels))

    def _told(self, levels: Levels) -> Levels:
        """Say the timeout in seconds as the client counts them, when the twin's run faster."""
        timeout = self.clock.outside(levels.inactive_source_timeout_seconds)
        return levels._replace(inactive_source_timeout_seconds=max(1, round(timeout)))

    def _reachable(self, host_id: str) -> Host:
        host = self.fleet.host(host_id)
        host.entropyd.advance(self.clock.now())
        if not host.reachable:
            raise UNREACHABLE_HOST[self.readings.unreachable_host](host_id)
        if host.entropyd.broken:
            raise internal_error(f"The entropy daemon of host {host_id} is non functional.")
        return host


def _no_external_entropy(host_id: str) -> ApiError:
    return internal_error(f"The host {host_id} does not take external entropy.")


def _no_answer(host_id: str) -> ApiError:
    return internal_error(f"The host {host_id} does not answer.")


DISABLED_ADDITION: dict[DisabledAddition, Callable[[str], ApiError]] = {
    DisabledAddition.ERROR: _no_external_entropy,
    DisabledAddition.NOT_FOUND: host_not_found,
    DisabledAddition.UNAVAILABLE: host_unavailable,
}
UNREACHABLE_HOST: dict[UnreachableHost, Callable[[str], ApiError]] = {
    UnreachableHost.UNAVAILABLE: host_unavailable,
    UnreachableHost.ERROR: _no_answer,
    UnreachableHost.NOT_FOUND: host_not_found,
}
