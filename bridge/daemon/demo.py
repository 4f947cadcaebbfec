"""`entropy-bridge demo`: the whole bridge on one machine, with the soft token and the twin."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import uvloop

from bridge.config import LogConfig, parse
from bridge.daemon.app import Bridge
from bridge.daemon.demo_twin import DemoTwin, TwinFailed
from bridge.daemon.demo_view import LineView, LiveView, Progress, can_redraw
from bridge.daemon.exits import Exit
from bridge.daemon.sdnotify import Notifier
from bridge.native import softtoken_path
from bridge.telemetry import log

if TYPE_CHECKING:
    from bridge.config import BridgeConfig
    from bridge.daemon.demo_twin import TwinAddress
    from bridge.telemetry.snapshot import Snapshot

_REFRESH_SECONDS = 0.25


@dataclass(frozen=True)
class DemoOptions:
    """What the demo shows: how many hosts, how thirsty, and when it ends by itself."""

    hosts: int = 300
    drain_bytes_per_second: float = 1024.0
    until_fed: bool = False
    seconds: float | None = None
    port: int = 0
    json: bool = False


def run(options: DemoOptions) -> int:
    """Feed simulated hosts until Ctrl-C (or as the options say); returns the exit code."""
    try:
        with DemoTwin(options.hosts, options.drain_bytes_per_second) as twin:
            config = _config(options, twin.address)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_run(options, config))
    except TwinFailed as error:
        sys.stderr.write(f"entropy-bridge demo: {error}\n")
        return Exit.FAILURE


async def _run(options: DemoOptions, config: BridgeConfig) -> Exit:
    view = LiveView() if can_redraw() and not options.json else LineView(mute=options.json)
    log.set_up(LogConfig(level="error"), view.stream)
    bridge = Bridge(config, Notifier())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, bridge.stop)
    progress = Progress(hosts=options.hosts)
    running = asyncio.create_task(bridge.run())
    started = time.monotonic()
    with view:
        while not running.done():
            await asyncio.wait({running}, timeout=_REFRESH_SECONDS)
            now = time.monotonic() - started
            progress.update(bridge.snapshot(), now)
            view.show(progress, bridge.status_url)
            over = options.seconds is not None and now >= options.seconds
            if over or (options.until_fed and progress.fed_after_seconds is not None):
                bridge.stop()
    ended = running.result()
    _say_goodbye(options, progress, bridge.snapshot())
    if ended is not Exit.OK:
        return ended
    if options.until_fed and progress.fed_after_seconds is None:
        return Exit.FAILURE
    return Exit.OK


def _config(options: DemoOptions, twin: TwinAddress | None) -> BridgeConfig:
    if twin is None:
        raise TwinFailed("the twin did not say where it is")
    # a JSON string is a TOML string
    document = f"""
        [hsm.soft-token]
        module = {json.dumps(str(softtoken_path()))}
        allow_soft_token = true
        [vcenter.twin]
        url = {json.dumps(twin.url)}
        username = {json.dumps(twin.username)}
        password_file = {json.dumps(twin.password_file)}
        ca_file = {json.dumps(twin.ca_file)}
        [status]
        listen = "127.0.0.1:{options.port}"
    """
    return parse(document.encode())


def _say_goodbye(options: DemoOptions, progress: Progress, snapshot: Snapshot) -> None:
    account = snapshot.sources[0].account
    if options.json:
        document = {
            "hosts": options.hosts,
            "fed_after_seconds": progress.fed_after_seconds,
            "account": asdict(account),
            "account_closes": account.closes,
        }
        sys.stdout.write(json.dumps(document) + "\n")
        return
    closes = "closes" if account.closes else "DOES NOT CLOSE"
    other = {
        "refused": account.refused,
        "of unknown fate": account.unknown,
        "spent on tests": account.failed + account.startup,
        "wiped in the reserve": account.purged + account.in_ring + account.lost,
    }
    sys.stdout.write(
        f"{account.generated:,} bytes generated = {account.delivered:,} delivered"
        + "".join(f" + {n_bytes:,} {words}" for words, n_bytes in other.items())
        + f": the account {closes}\n"
    )
