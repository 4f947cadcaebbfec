"""A host as the admin endpoints show and change it."""

from pydantic import BaseModel, ConfigDict, Field

from bridge.twin.drain import DrainProfile
from bridge.twin.fleet import ConnectionState, Fleet, Host, PoolStatus, PowerState
from bridge.twin.sources import EXTERNAL_ONLY, MOST_SOURCES


class HostChange(BaseModel):
    """What to change of a host; what is absent stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str | None = None
    level_bytes: int | None = Field(default=None, ge=0)
    storage_bytes: int | None = Field(default=None, ge=0)
    drain_bytes_per_second: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    drain_profile: DrainProfile | None = None
    status: PoolStatus | None = None
    sources: int | None = Field(default=None, ge=0, le=MOST_SOURCES)
    connection_state: ConnectionState | None = None
    power_state: PowerState | None = None

    def apply(self, host: Host, fleet: Fleet, now: float) -> None:
        """Change the host; `status` is short for sources 8 or 0, `cluster` is one's id or name."""
        if self.cluster is not None:
            host.place = fleet.place_in(self.cluster)
        host.entropyd.advance(now)  # what was due before, such as the end of a boot, came first
        sources = self.sources
        if sources is None and self.status is not None:
            sources = EXTERNAL_ONLY if self.status is PoolStatus.ENABLED else 0
        if sources is not None:
            host.entropyd.set_sources(sources, now)
        if self.level_bytes is not None:
            host.pool.set_level(self.level_bytes, now)
        if self.storage_bytes is not None:
            host.entropyd.set_storage(self.storage_bytes)
        if self.drain_bytes_per_second is not None or self.drain_profile is not None:
            rate = self.drain_bytes_per_second
            host.set_drain(
                self.drain_profile or host.demand.profile,
                host.demand.bytes_per_second if rate is None else rate,
                now,
            )
        if self.connection_state is not None:
            host.connection_state = self.connection_state
        if self.power_state is not None:
            host.set_power(self.power_state, now)


def host_state(host: Host, now: float) -> dict[str, object]:
    """Return everything that the twin knows of a host; `now` is of the twin's clock."""
    daemon = host.entropyd
    daemon.advance(now)
    pool = daemon.pool
    dry_seconds = sum(
        (now if it.end_seconds is None else it.end_seconds) - it.start_seconds
        for it in pool.dry_spells
    )
    return {
        "host": host.host,
        "name": host.name,
        "cluster": host.cluster,
        "status": host.status,
        "state": daemon.state,
        "sources": daemon.sources,
        "boots": daemon.boots,
        "connection_state": host.connection_state,
        "power_state": host.power_state,
        "drain_profile": host.demand.profile,
        "drain_bytes_per_second": host.demand.bytes_per_second,
        "capacity_bytes": pool.capacity_bytes,
        "low_watermark_bytes": pool.low_watermark_bytes,
        "level_bytes": pool.level_bytes,
        "lowest_bytes": pool.lowest_bytes,
        "storage_bytes": daemon.storage_bytes,
        "kernel_bytes": pool.kernel_bytes,
        "initial_bytes": pool.initial_bytes,
        "received_bytes": pool.accepted_bytes + pool.stored_bytes + pool.discarded_bytes,
        "accepted_bytes": pool.accepted_bytes + pool.stored_bytes,
        "discarded_bytes": pool.discarded_bytes,
        "adjusted_bytes": pool.adjusted_bytes,
        "drained_bytes": pool.drained_bytes,
        "unmet_bytes": pool.unmet_bytes,
        "additions": pool.additions,
        "reads": pool.reads,
        "dry_count": pool.dry_count,
        "dry_seconds": dry_seconds,
        "seconds_since_contact": now - pool.last_contact_seconds,
    }
