"""`fill`: every host topped up once, the emptiest first."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.daemon.oneshot import Fleet
from bridge.daemon.seen import SAMPLE_SECONDS
from bridge.source.account import Fate
from bridge.source.oneshot import opened
from bridge.source.supply import StaleTake, Supplies
from bridge.telemetry.snapshot import FilledHost, FillProgress, FillResult, HostState
from bridge.vcenter import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config import BridgeConfig
    from bridge.daemon.oneshot import FleetHost
    from bridge.source.take import Take
    from bridge.telemetry.snapshot import HostRow
    from bridge.vcenter.types import Levels

_GROUP_BYTES = 3
_WORTHWHILE_BYTES = 48 * 1024  # a request that could be larger waits a moment for that many
_MOMENT_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
_NO_BYTES = "no bytes came from the HSM in 60 s"


async def fill(config: BridgeConfig, on_progress: Callable[[FillProgress], None]) -> FillResult:
    """Top up every host once; raises VCenterError, SourceError or ConfigError before it begins."""
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(config))
        hosts = await fleet.inventory()
        supplies = [
            await stack.enter_async_context(opened(hsm, state_dir=config.state_dir))
            for hsm in config.hsm.values()
        ]
        filler = _Filler(fleet, Supplies(supplies), on_progress)
        filled = await filler.run(hosts)
        duration = time.monotonic() - started
        hosts_after = await filler.settled(filled)
    return FillResult(
        hosts=tuple(hosts_after),
        sent_bytes=sum(host.sent_bytes for host in hosts_after),
        duration_seconds=duration,
    )


class _Filler:
    def __init__(
        self, fleet: Fleet, supply: Supplies, on_progress: Callable[[FillProgress], None]
    ) -> None:
        self._fleet = fleet
        self._supply = supply
        self._on_progress = on_progress
        self._n_hosts = 0
        self._n_done = 0
        self._target_bytes = 0
        self._sent_bytes = 0

    async def run(self, hosts: list[FleetHost]) -> list[tuple[FleetHost, FilledHost]]:
        """Look at all, then fill in the order of their levels."""
        looked = await asyncio.gather(*(self._look(host) for host in hosts))
        looked.sort(key=lambda it: _level(it[1]))
        self._n_hosts = len(looked)
        self._target_bytes = sum(_room(row) for _, row, _ in looked)
        self._tell()
        # each vCenter's semaphore lets them in one after the other, in this order
        filled = await asyncio.gather(*(self._fill(*it) for it in looked))
        return [(host, it) for (host, _, _), it in zip(looked, filled, strict=True)]

    async def settled(self, filled: list[tuple[FleetHost, FilledHost]]) -> list[FilledHost]:
        """Look once more at those that were filled too fast to tell what they use."""
        if any(_is_unsettled(it.row) for _, it in filled):
            await asyncio.sleep(SAMPLE_SECONDS)
        return await asyncio.gather(*(self._settled(*it) for it in filled))

    async def _settled(self, host: FleetHost, filled: FilledHost) -> FilledHost:
        if not _is_unsettled(filled.row):
            return filled
        _, row, error = await self._look(host)
        return filled if error else replace(filled, row=row)

    async def _look(self, host: FleetHost) -> tuple[FleetHost, HostRow, str]:
        async with host.site.limit:
            row, error = await self._fleet.look(host)
        return host, row, error

    async def _fill(self, host: FleetHost, row: HostRow, error: str) -> FilledHost:
        sent = 0
        async with host.site.limit:
            left = _room(row)
            while not error and left >= _GROUP_BYTES:
                take = await self._take(min(left, host.site.config.max_add_bytes))
                if take is None:
                    error = _NO_BYTES
                    break
                n_bytes = take.raw_bytes
                levels, error = await self._send(host, take)
                if levels is not None:
                    row = self._fleet.row(row, levels, n_bytes)
                    sent += n_bytes
                    left = min(left - n_bytes, _room(row))
        self._n_done += 1
        self._tell()
        return FilledHost(row=row, sent_bytes=sent, error=error)

    async def _send(self, host: FleetHost, take: Take) -> tuple[Levels | None, str]:
        n_bytes = take.raw_bytes
        fate = Fate.UNKNOWN
        try:
            levels = await host.site.client.add(host.summary.host, take.pieces, take.spend)
            fate = Fate.DELIVERED
        except errors.VCenterError as error:
            if error.fate is errors.SendFate.REFUSED:
                fate = Fate.REFUSED
            return None, str(error)
        except StaleTake:
            return None, ""  # purged before they were sent: the host gets others
        finally:
            if take.spent:
                take.done(fate)
            else:
                take.give_back()
        self._sent_bytes += n_bytes
        self._tell()
        return levels, ""

    async def _take(self, n_bytes: int) -> Take | None:
        """Wait for bytes: for a worthwhile number shortly, for any for a minute."""
        now = asyncio.get_running_loop().time
        began = now()
        enough = min(n_bytes, _WORTHWHILE_BYTES)
        arrived = asyncio.Event()
        forget = self._supply.on_data(arrived.set)
        try:
            while True:
                arrived.clear()
                there = self._supply.available_bytes
                if there >= enough or (there >= _GROUP_BYTES and now() - began > _MOMENT_SECONDS):
                    return self._supply.take(n_bytes)
                if now() - began > _PATIENCE_SECONDS:
                    return None
                try:
                    async with asyncio.timeout(_MOMENT_SECONDS):
                        await arrived.wait()
                except TimeoutError:
                    continue
        finally:
            forget()

    def _tell(self) -> None:
        self._on_progress(
            FillProgress(self._n_hosts, self._n_done, self._target_bytes, self._sent_bytes)
        )


def _is_unsettled(row: HostRow) -> bool:
    return row.state == HostState.FED and row.seconds_to_dry is None


def _room(row: HostRow) -> int:
    if row.available_bytes is None or row.capacity_bytes is None:
        return 0
    room = max(0, row.capacity_bytes - row.available_bytes)
    return room - room % _GROUP_BYTES


def _level(row: HostRow) -> float:
    if row.available_bytes is None or not row.capacity_bytes:
        return 1.0
    return row.available_bytes / row.capacity_bytes
