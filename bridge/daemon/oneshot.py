"""`hosts`, and what `fill` begins with: one session with each vCenter, and every host read."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from bridge.telemetry.snapshot import (
    HostRow,
    HostState,
    by_time_to_dry,
)
from bridge.vcenter import errors
from bridge.vcenter.client import VCenter

if TYPE_CHECKING:
    from bridge.config import BridgeConfig, VCenterConfig
    from bridge.vcenter.types import HostSummary, Levels, Pool

SAMPLE_SECONDS = 2.0  # between two looks that tell what a host uses


@dataclass(frozen=True, slots=True)
class FleetSite:
    """One vCenter with its session."""

    config: VCenterConfig
    client: VCenter
    limit: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class FleetHost:
    """One host of the inventory."""

    site: FleetSite
    summary: HostSummary
    cluster: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The vCenter's name in the configuration, and the host's id."""
        return self.site.config.name, self.summary.host


class Fleet:
    """All hosts of the configuration, over one session per vCenter; an async context manager.

    Entering and `read` raise VCenterError; what is wrong with a single host is in its row.
    """

    def __init__(self, config: BridgeConfig) -> None:
        self._config = config
        self._stack = AsyncExitStack()
        self._sites: list[FleetSite] = []
        self._before: dict[tuple[str, str], tuple[float, int]] = {}
        self._clusters: dict[str, tuple[set[str], dict[str, str]]] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for vcenter in self._config.vcenter.values():
                client = await stack.enter_async_context(VCenter(vcenter, vcenter.password()))
                limit = asyncio.Semaphore(vcenter.max_in_flight)
                self._sites.append(FleetSite(vcenter, client, limit))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def inventory(self) -> list[FleetHost]:
        """List the hosts that the filters choose."""
        found = await asyncio.gather(*(self._inventory(site) for site in self._sites))
        return [host for hosts in found for host in hosts]

    async def _inventory(self, site: FleetSite) -> list[FleetHost]:
        hosts = await site.client.hosts()
        ids = {host.host for host in hosts}
        asked, clusters = self._clusters.get(site.config.name, (set(), {}))
        if asked != ids:
            clusters = await _clusters(site)
            self._clusters[site.config.name] = ids, clusters
        return [FleetHost(site, host, clusters.get(host.host, "")) for host in hosts]

    async def read(self) -> list[HostRow]:
        """Look at every host once; what it uses shows from the second time on."""
        hosts = await self.inventory()
        rows = await asyncio.gather(*(self._read(host) for host in hosts))
        return sorted(rows, key=by_time_to_dry)

    async def _read(self, host: FleetHost) -> HostRow:
        async with host.site.limit:
            return (await self.look(host))[0]

    async def look(self, host: FleetHost) -> tuple[HostRow, str]:
        """Look at one host; answers its row, and what is wrong with it."""
        row = HostRow(*host.key, host.summary.name, HostState.WAITING, cluster=host.cluster)
        try:
            pool: Pool = await host.site.client.pool(host.summary.host)
        except errors.VCenterError as error:
            refused = isinstance(error, errors.Unauthorized)
            state = HostState.REFUSED if refused else HostState.UNREACHABLE
            return replace(row, state=state), str(error)
        if pool.levels is None:
            return replace(row, state=HostState.DISABLED), ""
        return self.row(row, pool.levels), ""

    def row(self, row: HostRow, levels: Levels) -> HostRow:
        """Complete a row with a reading."""
        now = time.monotonic()
        key = row.vcenter, row.host
        since, before = self._before.get(key, (now, levels.available_bytes))
        self._before[key] = now, levels.available_bytes
        drain = None
        if now > since and before >= levels.available_bytes:
            drain = (before - levels.available_bytes) / (now - since)
        unfed = None
        if not levels.available_bytes:
            unfed = 0.0
        elif drain is not None:
            unfed = levels.available_bytes / drain if drain else float("inf")
        return replace(
            row,
            state=HostState.FED,
            available_bytes=levels.available_bytes,
            capacity_bytes=levels.capacity_bytes,
            low_watermark_bytes=levels.low_watermark_bytes,
            drain_bytes_per_second=drain,
            seconds_to_dry=unfed,
            last_success=time.time(),
        )


async def _clusters(site: FleetSite) -> dict[str, str]:
    # Only to group by: a user who may not see clusters does without.
    try:
        return await site.client.clusters()
    except errors.VCenterError:
        return {}


async def read_hosts(config: BridgeConfig) -> list[HostRow]:
    """Look at every host twice, a moment apart: that moment tells what each one uses."""
    async with Fleet(config) as fleet:
        await fleet.read()
        await asyncio.sleep(SAMPLE_SECONDS)
        return await fleet.read()
