"""Keeps a loop going: a defect in it is logged, and it is begun anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.feed.site import LoginRefusedAtFirst
from bridge.source.errors import SourceMisconfigured, SourceRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import structlog

_CRASH_PAUSE_SECONDS = 1.0


async def keep(
    name: str, run: Callable[[], Awaitable[None]], log: structlog.stdlib.BoundLogger
) -> None:
    """Run one loop for ever; raises only what says that there is no use in going on."""
    while True:
        try:
            return await run()
        except (SourceRefused, SourceMisconfigured, LoginRefusedAtFirst):
            raise
        except Exception:
            log.exception("a loop ended that should not have; begun anew", loop=name)
        await asyncio.sleep(_CRASH_PAUSE_SECONDS)
