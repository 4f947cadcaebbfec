"""Hosts' pools as a table for a terminal."""

from collections.abc import Iterable

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry
from bridge.telemetry.words import bytes_text, duration_text, rate_text

_BAR_WIDTH = 12
_SOON_SECONDS = 120.0

Cell = ProgressBar | Text | str


def hosts_table(rows: Iterable[HostRow], *, narrow: bool = False) -> Table:
    """Return the hosts' table, the first to run dry first; cluster and vCenter if they differ.

    `narrow` leaves out what the rest tells as well.
    """
    found = sorted(rows, key=by_time_to_dry)
    clusters = len({row.cluster for row in found}) > 1
    vcenters = len({row.vcenter for row in found}) > 1
    wide = not narrow
    table = plain_table(
        "~Host",
        *(["Pool", ">"] if wide else [">Pool"]),
        ">Dry in, unfed",
        *[">Available"] * wide,
        ">Uses",
        "State",
        *["~Cluster"] * clusters,
        *["~vCenter"] * vcenters,
    )
    for row in found:
        available = "" if row.available_bytes is None else bytes_text(row.available_bytes)
        drain = row.drain_bytes_per_second
        table.add_row(
            name_cell(row.name),
            *level_cells(row, bar=wide),
            dry_cell(row),
            *[available] * wide,
            "" if drain is None else rate_text(drain),
            _state(row),
            *[name_cell(row.cluster)] * clusters,
            *[name_cell(row.vcenter)] * vcenters,
        )
    return table


def plain_table(*heads: str) -> Table:
    """Return a table without lines.

    A head that begins with ">" is right-aligned; one with "~" is of names, which give way when
    the window is too narrow. Their cells are `name_cell`s.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(
            head.lstrip(">~"),
            justify="right" if head.startswith(">") else "left",
            no_wrap=not head.startswith("~"),
        )
    return table


def name_cell(name: str) -> Text:
    """Return a name that is cut where it does not fit."""
    return Text(name, no_wrap=True, overflow="ellipsis")


def level_cells(row: HostRow, *, bar: bool) -> list[Cell]:
    """Return the pool's level in percent, after a bar of it, red under the watermark."""
    if row.available_bytes is None or not row.capacity_bytes:
        return [*[""] * bar, ""]
    style = "red" if row.is_low else "green"
    percent = Text(f"{100 * row.available_bytes // row.capacity_bytes} %")
    if not bar:
        percent.stylize(style if row.is_low else "")
        return [percent]
    drawn = ProgressBar(
        total=row.capacity_bytes,
        completed=row.available_bytes,
        width=_BAR_WIDTH,
        complete_style=style,
        finished_style=style,
    )
    return [drawn, percent]


def dry_cell(row: HostRow) -> Text:
    """Return how long a host lives unfed, striking when that is short."""
    if row.available_bytes is None:
        return Text("unknown")
    dry = row.seconds_to_dry
    soon = dry is not None and dry < _SOON_SECONDS
    return Text(duration_text(dry), style="bold red" if soon else "")


def _state(row: HostRow) -> Text:
    words = [row.state]
    if row.is_low:
        words.append("low")
    if row.shared:
        words.append("fed by others too")
    good = row.state == HostState.FED and not row.is_low
    return Text(", ".join(words), style="" if good else "yellow")
