"""`entropy-bridge hosts`: how full every host's pool is, and how long it would live unfed."""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from functools import partial

from rich.console import Console, RenderableType
from rich.live import Live

from bridge.cli.arguments import add_config, add_json
from bridge.cli.errors import Code, UsageError
from bridge.cli.hosts_view import listing, window
from bridge.cli.output import console, print_json, waiting, warn
from bridge.cli.reported import reported
from bridge.config import BridgeConfig, check_files, load
from bridge.daemon.oneshot import Fleet, read_hosts
from bridge.daemon.seen import SAMPLE_SECONDS
from bridge.telemetry.document import host_document
from bridge.telemetry.snapshot import HostState, by_time_to_dry
from bridge.telemetry.words import duration_text
from bridge.vcenter.errors import LoginRefused, VCenterError

_WATCH_SECONDS = 5.0
_WAITING = "asking vCenter; Ctrl-C ends it"


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
        with nullcontext() if arguments.json else waiting(_WAITING):
            rows = sorted(asyncio.run(read_hosts(config)), key=by_time_to_dry)
    if arguments.json:
        print_json([host_document(row) for row in rows])
    else:
        screen = console()
        screen.print(listing(rows, screen))
    was_read = any(row.state in (HostState.FED, HostState.DISABLED) for row in rows)
    return Code.OK if was_read else Code.FAILURE


async def _watch(config: BridgeConfig) -> None:
    screen = console()
    async with AsyncExitStack() as stack:
        with waiting(_WAITING):
            fleet = await stack.enter_async_context(Fleet(config))
            rows, read_at, trouble = await fleet.read(), time.monotonic(), ""
        with _shown_on(screen) as show:
            pause = SAMPLE_SECONDS  # the second look tells what hosts use
            while True:
                show(window(rows, screen, trouble))
                await asyncio.sleep(pause)
                pause = _WATCH_SECONDS
                try:
                    rows, read_at, trouble = await fleet.read(), time.monotonic(), ""
                except LoginRefused:
                    raise
                except VCenterError as error:
                    # it may come back; what was seen last stays
                    age = duration_text(time.monotonic() - read_at)
                    trouble = f"seen {age} ago; {error}"


@contextmanager
def _shown_on(screen: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Give what redraws the screen in place, or prints on where that is impossible."""
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield screen.print
        return
    with Live(console=screen, auto_refresh=False) as live:
        yield partial(_redraw, live)


def _redraw(live: Live, what: RenderableType) -> None:
    if not live.console.is_terminal:  # it was closed, of which rich says nothing
        raise BrokenPipeError
    live.update(what, refresh=True)
