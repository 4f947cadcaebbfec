"""`entropy-bridge fill`: every host topped up once."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from bridge.cli.arguments import add_config, add_json
from bridge.cli.errors import Code
from bridge.cli.hosts_view import listing
from bridge.cli.output import console, print_json, warn
from bridge.cli.reported import reported
from bridge.cli.table import name_cell, plain_table
from bridge.config import check_files, load
from bridge.daemon.fill import fill
from bridge.telemetry.document import host_document
from bridge.telemetry.snapshot import FillProgress, FillResult
from bridge.telemetry.words import bytes_text

_FAILED_SHOWN = 20
_HOSTS_SHOWN = 40  # those that would run dry first; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Fill, and show what was done; 1 when a host could not be filled."""
    config = load(arguments.config, need=["hsm", "vcenter"])
    with reported(arguments.config):
        check_files(config, warn)
        with _Bar(show=sys.stderr.isatty() and not arguments.json) as show:
            result = asyncio.run(fill(config, show))
    if arguments.json:
        print_json(_document(result))
    else:
        screen = console()
        screen.print(_shown(result, screen))
    return Code.FAILURE if result.n_failed else Code.OK


class _Bar(AbstractContextManager[Callable[[FillProgress], None]]):
    """A progress bar on standard error."""

    def __init__(self, *, show: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("hosts, {task.fields[sent]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not show,
            transient=True,
        )
        self._task = self._progress.add_task("Filling", total=None, sent="")

    def __enter__(self) -> Callable[[FillProgress], None]:
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, progress: FillProgress) -> None:
        self._progress.update(
            self._task,
            total=progress.n_hosts,
            completed=progress.n_hosts_done,
            sent=f"{bytes_text(progress.sent_bytes)} of {bytes_text(progress.target_bytes)}",
        )


def _shown(result: FillResult, screen: Console) -> RenderableType:
    hosts = listing([host.row for host in result.hosts], screen, _HOSTS_SHOWN)
    sent = Text(
        f"sent {bytes_text(result.sent_bytes)} to "
        f"{sum(1 for host in result.hosts if host.sent_bytes)} of {len(result.hosts)} hosts "
        f"in {result.duration_seconds:.1f} s"
    )
    failed = [host for host in result.hosts if host.error]
    if not failed:
        return Group(hosts, sent)
    table = plain_table("~Not filled", "~vCenter", "Why")
    for host in failed[:_FAILED_SHOWN]:
        table.add_row(name_cell(host.row.name), name_cell(host.row.vcenter), host.error)
    more = len(failed) - _FAILED_SHOWN
    rest = [Text(f"and {more} more")] if more > 0 else []
    return Group(hosts, sent, Text(), table, *rest)


def _document(result: FillResult) -> dict[str, object]:
    return {
        "sent_bytes": result.sent_bytes,
        "duration_seconds": result.duration_seconds,
        "n_failed": result.n_failed,
        "hosts": [
            host_document(host.row) | {"sent_bytes": host.sent_bytes, "error": host.error}
            for host in result.hosts
        ],
    }
