"""Turns the state of the running bridge into the snapshot that telemetry shows."""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from bridge.feed.hoststate import HostState as Standing
from bridge.feed.standing import SiteState
from bridge.native import base64_kernels
from bridge.telemetry.snapshot import (
    Account,
    ConfigRow,
    HostRow,
    HostState,
    Snapshot,
    SourceRow,
    SourceState,
    VCenterRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.daemon.behind import Behind
    from bridge.feed.outlook import HostOutlook
    from bridge.feed.planner import Planner
    from bridge.feed.site import Site
    from bridge.source.account import Account as Books
    from bridge.source.status import SourceStatus
    from bridge.source.supervisor import Source

_STATES = {
    Standing.NEW: HostState.WAITING,
    Standing.READ: HostState.FED,
    Standing.UNCERTAIN: HostState.UNCERTAIN,
}
_ABSENT = {"disabled": HostState.DISABLED, "refused": HostState.REFUSED}


class View:
    """Knows where everything is that a snapshot tells of."""

    def __init__(
        self,
        planner: Planner,
        sources: Sequence[Source],
        sites: Mapping[str, Site],
        behind: Behind,
    ) -> None:
        self._planner = planner
        self._behind = behind
        self._sources = sources
        self._sites = sites
        self._started = time.time()
        self._version = package_version()
        self._kernel = base64_kernels()[-1]

    def snapshot(self, now: float, config: ConfigRow, not_ready: tuple[str, ...] = ()) -> Snapshot:
        """Return the whole bridge at `now` of the planner's clock."""
        outlook = self._planner.outlook(now)
        known = {name: (site.names, site.clusters) for name, site in self._sites.items()}
        return Snapshot(
            time=time.time(),
            started=self._started,
            version=self._version,
            kernel=self._kernel,
            hosts=tuple(host_row(host, *known.get(host.key[0], ({}, {}))) for host in outlook),
            sources=tuple(source_row(source) for source in self._sources),
            vcenters=tuple(vcenter_row(site) for site in self._sites.values()),
            look_lateness_seconds=self._planner.keeps_up(now).worst_seconds,
            not_ready=not_ready,
            warnings=tuple(self._warnings(outlook, config)),
            config=config,
        )

    def _warnings(self, outlook: Iterable[HostOutlook], config: ConfigRow) -> Iterable[str]:
        if config.reload_error:
            yield f"the last reload was refused, and changed nothing: {config.reload_error}"
        for site in self._sites.values():
            if site.last_error:
                yield f"{site.config.name}: {site.last_error}"
        for source in self._sources:
            status = source.status()
            if status.last_error:
                yield f"{status.name}: {status.last_error}"
            if status.is_soft_token:
                yield f"{status.name} is the soft token: a rehearsal, not an HSM"
        yield from self._behind.warnings()
        if shared := sum(host.shared for host in outlook):
            yield f"{shared} hosts seem to be fed by somebody else too"


def host_row(host: HostOutlook, names: Mapping[str, str], clusters: Mapping[str, str]) -> HostRow:
    """Return what is shown of a host; both say what is called how by the host's id."""
    age = host.seconds_since_reading
    state = _STATES.get(host.state) or _ABSENT.get(host.reason, HostState.UNREACHABLE)
    return HostRow(
        vcenter=host.key[0],
        host=host.key[1],
        name=names.get(host.key[1], host.key[1]),
        state=state,
        available_bytes=host.available_bytes,
        capacity_bytes=host.capacity_bytes,
        low_watermark_bytes=host.low_watermark_bytes,
        # before the first reading it is a guess of the planner's, and nothing that a host uses
        drain_bytes_per_second=None if age is None else host.drain_bytes_per_second,
        seconds_to_dry=host.seconds_to_dry,
        shared=host.shared,
        last_success=None if age is None else time.time() - age,
        cluster=clusters.get(host.key[1], ""),
    )


def source_row(source: Source) -> SourceRow:
    """Return what is shown of a source."""
    status: SourceStatus = source.status()
    books = source.supply.account()
    return SourceRow(
        name=status.name,
        state=SourceState(status.state.name.lower()),
        is_soft_token=status.is_soft_token,
        token=status.token,
        bytes_per_second=status.bytes_per_second,
        reserve_available_bytes=books.in_ring,
        reserve_capacity_bytes=status.capacity_bytes,
        restarts=status.restarts,
        errors=status.errors,
        test_failures=status.test_failures,
        account=account_of(books),
        last_error=status.last_error,
        pid=status.pid,
    )


def vcenter_row(site: Site) -> VCenterRow:
    """Return what is shown of a vCenter."""
    return VCenterRow(
        name=site.config.name,
        url=site.config.url,
        is_connected=site.state is SiteState.UP,
        lists_hosts=site.lists_hosts,
        n_hosts=len(site.names),
        in_flight=site.gate.in_flight,
        in_flight_limit=site.gate.limit,
        requests=dict(site.requests),
        last_error=site.last_error,
    )


def account_of(books: Books) -> Account:
    """Return the account without the subtotals."""
    return Account(
        generated=books.generated,
        failed=books.failed,
        startup=books.startup,
        lost=books.lost,
        delivered=books.delivered,
        refused=books.refused,
        unknown=books.unknown,
        purged=books.purged,
        in_ring=books.in_ring + books.in_source,
        in_flight=books.in_flight,
    )


def package_version() -> str:
    """Return the installed version."""
    try:
        return version("entropy-bridge")
    except PackageNotFoundError:
        return "not installed"
