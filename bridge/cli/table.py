"""Hosts' pools as a table for a terminal."""

import time
from collections.abc import Iterable
from enum import IntEnum
from typing import Self

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry
from bridge.telemetry.words import bytes_text, duration_text, rate_text

_BAR_WIDTH = 12
_SOON_SECONDS = 120.0
_LESS_BELOW = 110  # characters of a window
_LEAST_BELOW = 76

# `hosts` feeds nobody: what it sees is that a pool takes entropy, in vCenter's own word.
_STATES: dict[str, str] = {HostState.FED: "enabled"}

Cell = ProgressBar | Text | str


class Detail(IntEnum):
    """How much a table tells; less leaves out what the rest tells as well, then what helps."""

    LEAST = 0
    LESS = 1
    ALL = 2

    @classmethod
    def fitting(cls, width_characters: int) -> Self:
        """Return what fits into a window."""
        least, less = width_characters < _LEAST_BELOW, width_characters < _LESS_BELOW
        return cls(0 if least else 1 if less else 2)


def hosts_table(rows: Iterable[HostRow], detail: Detail = Detail.ALL) -> Table:
    """Return the hosts' table, the first to run dry first; cluster and vCenter if they differ."""
    found = sorted(rows, key=by_time_to_dry)
    wide = detail is Detail.ALL
    more = detail is not Detail.LEAST
    clusters = more and len({row.cluster for row in found}) > 1
    vcenters = more and len({row.vcenter for row in found}) > 1
    table = plain_table(
        "~Host",
        *(["Pool", ">"] if wide else [">Pool"]),
        ">Dry in, unfed",
        *[">Available"] * wide,
        *[">Uses"] * more,
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
            *["" if drain is None else rate_text(drain)] * more,
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
            name_cell(head.lstrip(">~")),
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
    words = [_STATES.get(row.state, row.state)]
    if row.state != HostState.FED and row.last_success is not None:
        words.append(f"seen {duration_text(time.time() - row.last_success)} ago")
    if row.is_low:
        words.append("low")
    if row.shared:
        words.append("fed by others too")
    good = row.state == HostState.FED and not row.is_low
    return Text(", ".join(words), style="" if good else "yellow")
