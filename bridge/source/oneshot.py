# SPDX-License-Identifier: Apache-2.0
"""A source for the length of one command."""

from __future__ import annotations

import asyncio
import binascii
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bridge.source.account import Fate
from bridge.source.log import Silent
from bridge.source.supervisor import Source
from bridge.source.take import StaleTake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.config import HsmConfig
    from bridge.source.log import Log
    from bridge.source.logins import Logins
    from bridge.source.supply import Supplier, Supply

CHUNK_BYTES = 96 * 1024


@asynccontextmanager
async def opened(
    config: HsmConfig,
    *,
    state_dir: Path | None = None,
    log: Log | None = None,
    logins: Logins | None = None,
) -> AsyncIterator[Supply]:
    """Give the supply of a source once there are bytes; ends the source cleanly.

    Raises SourceRefused, SourceMisconfigured or SourceFailed, also out of the body when the source
    ends for good while it is used.
    """
    source = Source(config, state_dir=state_dir, log=log or Silent(), logins=logins, one_shot=True)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(source.run())
            await _bytes_in(source.supply)
            yield source.supply
            task.cancel()
    except BaseExceptionGroup as group_of_one:
        raise group_of_one.exceptions[0] from None
    finally:
        source.close()


async def draw(supply: Supplier, n_bytes: int) -> AsyncIterator[bytes]:
    """Give `n_bytes` raw bytes, piece by piece as they come.

    What a copy of this machine may have too, because it was suspended, is left out.
    """
    left = n_bytes
    while left > 0:
        # Whole groups are taken; of the last one, up to two bytes are not given.
        take = supply.take(min(CHUNK_BYTES, (left + 2) // 3 * 3))
        if take is None:
            await _bytes_in(supply)
            continue
        try:
            take.spend()
        except StaleTake:
            take.give_back()
            continue
        raw = binascii.a2b_base64(b"".join(take.pieces))
        take.done(Fate.DELIVERED)
        yield raw[:left]
        left -= len(raw)
        # Bytes that are always there are no reason to wait: the source's keeper and Ctrl-C want to
        # be heard all the same.
        await asyncio.sleep(0)


async def _bytes_in(supply: Supplier) -> None:
    arrived = asyncio.Event()
    forget = supply.on_data(arrived.set)
    try:
        while not supply.available_bytes:
            arrived.clear()
            await arrived.wait()
    finally:
        forget()
