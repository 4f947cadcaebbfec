"""Hosts' pools as a table for a terminal."""

from collections.abc import Iterable

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry
from bridge.telemetry.words import bytes_text, duration_text, rate_text

_BAR_WIDTH = 12
_SOON_SECONDS = 120.0


def hosts_table(rows: Iterable[HostRow]) -> Table:
    """Return the hosts' table, the first to run dry first; the vCenter if there are several."""
    found = sorted(rows, key=by_time_to_dry)
    several = len({row.vcenter for row in found}) > 1
    heads = ["Host", "Pool", ">", ">Dry in, unfed", ">Available", ">Uses", "State"]
    table = plain_table(*heads, *(["vCenter"] if several else []))
    for row in found:
        cells = [row.name, *_level(row), *_outlook(row), _state(row)]
        table.add_row(*cells, *([row.vcenter] if several else []))
    return table


def plain_table(*heads: str) -> Table:
    """Return a table without lines; a head that begins with ">" is right-aligned."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(
            head.removeprefix(">"),
            justify="right" if head.startswith(">") else "left",
            no_wrap=True,
        )
    return table


def _level(row: HostRow) -> tuple[ProgressBar | str, str]:
    """Return a bar of the pool's level, red under the watermark, and the level in percent."""
    if row.available_bytes is None or not row.capacity_bytes:
        return "", ""
    style = "red" if row.is_low else "green"
    bar = ProgressBar(
        total=row.capacity_bytes,
        completed=row.available_bytes,
        width=_BAR_WIDTH,
        complete_style=style,
        finished_style=style,
    )
    return bar, f"{100 * row.available_bytes // row.capacity_bytes} %"


def _outlook(row: HostRow) -> tuple[Text, str, str]:
    if row.available_bytes is None:
        return Text("unknown"), "", ""
    drain = row.drain_bytes_per_second
    dry = row.seconds_to_dry
    soon = dry is not None and dry < _SOON_SECONDS
    return (
        Text(duration_text(dry), style="bold red" if soon else ""),
        bytes_text(row.available_bytes),
        "" if drain is None else rate_text(drain),
    )


def _state(row: HostRow) -> Text:
    words = [row.state]
    if row.is_low:
        words.append("low")
    if row.shared:
        words.append("fed by others too")
    good = row.state == HostState.FED and not row.is_low
    return Text(", ".join(words), style="" if good else "yellow")
