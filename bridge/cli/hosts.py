"""`entropy-bridge hosts`: how full every host's pool is, and how long it would live unfed."""

import argparse
import asyncio
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from bridge.cli.arguments import add_config, add_json
from bridge.cli.errors import Code, UsageError
from bridge.cli.output import console, print_json, warn
from bridge.cli.reported import reported
from bridge.cli.table import hosts_table
from bridge.config import BridgeConfig, check_files, load
from bridge.daemon.oneshot import Fleet, read_hosts
from bridge.telemetry.document import host_document
from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry
from bridge.telemetry.words import duration_text

_WATCH_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    parser.add_argument(
        "--watch", action="store_true", help="stay, and look again every few seconds"
    )
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Look, and show."""
    if arguments.watch and arguments.json:
        raise UsageError("--watch is for people and --json for programs; use one of them")
    config = load(arguments.config, need=["vcenter"])
    with reported(arguments.config):
        check_files(config.model_copy(update={"hsm": {}}), warn)
        if arguments.watch:
            asyncio.run(_watch(config))
            return Code.OK
        rows = sorted(asyncio.run(read_hosts(config)), key=by_time_to_dry)
    if arguments.json:
        print_json([host_document(row) for row in rows])
    else:
        console().print(_shown(rows))
    return Code.OK


async def _watch(config: BridgeConfig) -> None:
    screen = console()
    async with Fleet(config) as fleet:
        # As many rows as the window has, for rich cannot scroll.
        with Live(console=screen, auto_refresh=False) as live:
            while True:
                rows = sorted(await fleet.read(), key=by_time_to_dry)
                live.update(_shown(rows, max(1, screen.height - 4)), refresh=True)
                await asyncio.sleep(_WATCH_SECONDS)


def _shown(rows: Sequence[HostRow], limit: int | None = None) -> RenderableType:
    return Group(hosts_table(rows[:limit]), Text(), Text(_summary(rows, limit)))


def _summary(rows: Sequence[HostRow], limit: int | None) -> str:
    low = sum(1 for row in rows if row.is_low)
    unread = sum(1 for row in rows if row.state != HostState.FED)
    dry = min((row.seconds_to_dry for row in rows if row.seconds_to_dry is not None), default=None)
    words = [f"{len(rows)} hosts", f"{low} under their watermark"]
    if unread:
        words.append(f"{unread} that take nothing or cannot be read")
    words.append(f"the first is dry in {duration_text(dry)} if nobody feeds it")
    if limit is not None and len(rows) > limit:
        words.append(f"{len(rows) - limit} more not shown")
    return "; ".join(words)
