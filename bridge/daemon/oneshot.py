"""`hosts`, and what `fill` begins with: one session with each vCenter, and every host read."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from bridge.daemon.seen import SAMPLE_SECONDS, Seen
from bridge.feed.clusters import Clusters
from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry
from bridge.vcenter import errors
from bridge.vcenter.client import VCenter

if TYPE_CHECKING:
    from bridge.config import BridgeConfig, VCenterConfig
    from bridge.vcenter.types import HostSummary, Levels, Pool


@dataclass(frozen=True, slots=True)
class FleetSite:
    """One vCenter with its session."""

    config: VCenterConfig
    client: VCenter
    limit: asyncio.Semaphore
    clusters: Clusters


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
        self._seen: dict[tuple[str, str], Seen] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for vcenter in self._config.vcenter.values():
                client = await stack.enter_async_context(VCenter(vcenter, vcenter.password()))
                limit = asyncio.Semaphore(vcenter.max_in_flight)
                clusters = Clusters(client, clock=time.monotonic)
                self._sites.append(FleetSite(vcenter, client, limit, clusters))
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
        await site.clusters.refresh({host.host for host in hosts}, site.config.hosts)
        names = site.clusters.names
        return [FleetHost(site, host, names.get(host.host, "")) for host in hosts]

    async def read(self) -> list[HostRow]:
        """Look at every host once; what it uses shows from the second time on.

        A host that could be read before and cannot now is estimated from what was seen of it.
        """
        hosts = await self.inventory()
        there = {host.key for host in hosts}
        self._seen = {key: seen for key, seen in self._seen.items() if key in there}
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
            row = replace(row, state=HostState.REFUSED if refused else HostState.UNREACHABLE)
            return self._shown(row, time.monotonic()), str(error)
        if pool.levels is None:
            self._seen.pop(host.key, None)
            return replace(row, state=HostState.DISABLED), ""
        return self.row(row, pool.levels), ""

    def row(self, row: HostRow, levels: Levels, sent_bytes: int | None = None) -> HostRow:
        """Complete a row with a reading, or with the answer to so many bytes."""
        now = time.monotonic()
        key = row.vcenter, row.host
        seen = self._seen.get(key)
        if seen is None:
            self._seen[key] = Seen.first(levels, now)
        elif sent_bytes is None:
            seen.read(levels, now)
        else:
            seen.sent(sent_bytes, levels, now)
        return self._shown(replace(row, state=HostState.FED), now)

    def _shown(self, row: HostRow, now: float) -> HostRow:
        """Complete a row with what was seen of its host, if anything was."""
        seen = self._seen.get((row.vcenter, row.host))
        if seen is None:
            return row
        return replace(
            row,
            available_bytes=seen.available_at(now),
            capacity_bytes=seen.levels.capacity_bytes,
            low_watermark_bytes=seen.levels.low_watermark_bytes,
            drain_bytes_per_second=seen.drain_bytes_per_second,
            seconds_to_dry=seen.seconds_to_dry_at(now),
            last_success=time.time() - (now - seen.at),
        )


async def read_hosts(config: BridgeConfig) -> list[HostRow]:
    """Look at every host twice, a moment apart: that moment tells what each one uses."""
    async with Fleet(config) as fleet:
        await fleet.read()
        await asyncio.sleep(SAMPLE_SECONDS)
        return await fleet.read()
