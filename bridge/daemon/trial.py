"""Whether what a reload brings in works, before it takes the place of what does."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bridge.config import ConfigError
from bridge.source.status import SourceState
from bridge.vcenter import errors

if TYPE_CHECKING:
    from bridge.feed.site import Site
    from bridge.source.supervisor import Source

_TICK_SECONDS = 0.05
_PATIENCE_SECONDS = 60.0
# What no waiting mends.
_MISTAKES = (
    errors.BadCaFile,
    errors.FilterError,
    errors.UntrustedCertificate,
)


async def try_source(source: Source, task: asyncio.Task[None]) -> str:
    """Wait until it publishes, or return why it does not for now.

    Raises ConfigError for what no waiting mends: a refused PIN, no module, a failed output test.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while not source.is_running:
        status = source.status()
        if task.done():
            raise ConfigError(str(task.exception() or f"hsm.{source.name}: ended"))
        if status.state is SourceState.LATCHED_HEALTH:
            raise ConfigError(f"hsm.{source.name}: {status.last_error}")
        if status.state is SourceState.BACKOFF or time.monotonic() > end:
            return f"hsm.{source.name}: {status.last_error or 'it gives no bytes'}"
        await asyncio.wait({task}, timeout=_TICK_SECONDS)
    return ""


async def try_site(site: Site) -> str:
    """Log in and list the hosts, or return why that cannot be done for now.

    Raises LoginRefused, and ConfigError for what else no waiting mends, as a filter without hosts.
    """
    try:
        await site.greet()
    except errors.LoginRefused:
        raise
    except _MISTAKES as error:
        raise ConfigError(str(error)) from None
    except errors.VCenterError as error:
        return str(error)
    return ""
