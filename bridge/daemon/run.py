"""`entropy-bridge run`: the event loop, the signals and the exit code around the bridge."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import structlog
import uvloop

from bridge.daemon.app import Bridge
from bridge.daemon.sdnotify import Notifier
from bridge.native import harden_process
from bridge.telemetry import log
from bridge.telemetry.log_writer import LogWriter

if TYPE_CHECKING:
    from bridge.config import BridgeConfig
    from bridge.daemon.exits import Exit
    from bridge.daemon.reload import Read


def run(read: Read) -> int:
    """Feed until SIGTERM or SIGINT; returns the exit code. Raises ConfigError.

    `read` gives a configuration whose files were checked, and is asked again on every SIGHUP.
    """
    warnings: list[str] = []
    config = read(warnings.append)
    harden_process(0)
    with (
        LogWriter(sys.stderr) as stream,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        log.set_up(config.log, stream)
        for text in warnings:
            structlog.stdlib.get_logger().warning(text)
        return runner.run(_run(config, read))


async def _run(config: BridgeConfig, read: Read) -> Exit:
    bridge = Bridge(config, Notifier(), read=read)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, bridge.stop)
    loop.add_signal_handler(signal.SIGHUP, bridge.reload)
    return await bridge.run()
