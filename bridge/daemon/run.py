"""`entropy-bridge run`: the event loop, the signals and the exit code around the bridge."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import structlog
import uvloop

from bridge.config import check_files
from bridge.daemon.app import Bridge
from bridge.daemon.sdnotify import Notifier
from bridge.native import harden_process
from bridge.telemetry import log

if TYPE_CHECKING:
    from bridge.config import BridgeConfig
    from bridge.daemon.exits import Exit


def run(config: BridgeConfig) -> int:
    """Feed until SIGTERM or SIGINT; returns the exit code. Raises ConfigError."""
    check_files(config)
    harden_process(0)
    log.set_up(config.log, sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(config))


async def _run(config: BridgeConfig) -> Exit:
    bridge = Bridge(config, Notifier())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, bridge.stop)
    logger = structlog.stdlib.get_logger()
    loop.add_signal_handler(
        signal.SIGHUP, logger.warning, "SIGHUP: restart to read a new configuration"
    )
    return await bridge.run()
