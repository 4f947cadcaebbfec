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

_SAMPLE_SECONDS = 2.0


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
        found = await asyncio.gather(*(site.client.hosts() for site in self._sites))
        pairs = zip(self._sites, found, strict=True)
        return [FleetHost(site, host) for site, hosts in pairs for host in hosts]

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
        row = HostRow(host.key[0], host.key[1], host.summary.name, HostState.WAITING)
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
        if drain is not None:
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


async def read_hosts(config: BridgeConfig) -> list[HostRow]:
    """Look at every host twice, a moment apart: that moment tells what each one uses."""
    async with Fleet(config) as fleet:
        await fleet.read()
        await asyncio.sleep(_SAMPLE_SECONDS)
        return await fleet.read()
