"""What the demo shows: a live view on a terminal, a line a second elsewhere."""

from __future__ import annotations

import io
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.telemetry.snapshot import by_time_to_dry
from bridge.telemetry.words import bytes_text, duration_text, rate_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bridge.telemetry.snapshot import HostRow, Snapshot

_ROWS = 14
_BAR_WIDTH = 14  # with it, a row fits into the usual 80 characters
_RATE_WINDOW = 9


@dataclass
class Progress:
    """The state of the demo, from one snapshot after the other."""

    hosts: int
    snapshot: Snapshot | None = None
    seconds: float = 0.0
    fed_after_seconds: float | None = None
    _delivered: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RATE_WINDOW))

    def update(self, snapshot: Snapshot, seconds: float) -> None:
        """Take the next snapshot, `seconds` after the start."""
        self.snapshot = snapshot
        self.seconds = seconds
        self._delivered.append((seconds, sum(s.account.delivered for s in snapshot.sources)))
        if self.fed_after_seconds is None and self.n_above == self.hosts:
            self.fed_after_seconds = seconds

    @property
    def n_above(self) -> int:
        """Hosts that are known to be above their low watermark."""
        rows = () if self.snapshot is None else self.snapshot.hosts
        return sum(row.available_bytes is not None and not row.is_low for row in rows)

    @property
    def bytes_per_second(self) -> float:
        """What hosts confirmed lately."""
        if len(self._delivered) < 2:
            return 0.0
        (since, before), (until, after) = self._delivered[0], self._delivered[-1]
        return (after - before) / max(until - since, 1e-9)

    @property
    def fed_line(self) -> str:
        """The sentence that the demo is run for, or how far it is."""
        if self.fed_after_seconds is not None:
            return (
                f"every one of {self.hosts} hosts was above its watermark "
                f"after {self.fed_after_seconds:.1f} s"
            )
        return f"{self.n_above} of {self.hosts} hosts are above their watermark"


class View(Protocol):
    """A place to show progress."""

    stream: TextIO

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, progress: Progress, status_url: str | None) -> None:
        """Show it as it is now."""


def can_redraw() -> bool:
    """Whether standard output is a terminal that knows how to go back."""
    console = Console()
    return console.is_terminal and not console.is_dumb_terminal


class LiveView:
    """Redraws a table in place."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self.stream = cast("TextIO", _AboveLive(self._console))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, progress: Progress, status_url: str | None) -> None:
        """Redraw."""
        if progress.snapshot is not None:
            self._live.update(_screen(progress, progress.snapshot, status_url), refresh=True)


class LineView:
    """Writes a line a second, and one when every host is fed."""

    def __init__(self, *, mute: bool) -> None:
        self.stream: TextIO = sys.stderr
        self._mute = mute
        self._next = 0.0
        self._said_fed = False

    def __enter__(self) -> Self:
        self._say("feeding from the soft token, which is not an HSM, into simulated hosts over TLS")
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, progress: Progress, status_url: str | None) -> None:
        """Write what has changed."""
        del status_url
        fed = progress.fed_after_seconds is not None
        if progress.seconds >= self._next or (fed and not self._said_fed):
            self._next = progress.seconds + 1.0
            self._said_fed = fed
            trouble = () if progress.snapshot is None else progress.snapshot.not_ready
            self._say(
                f"{progress.seconds:5.1f} s  {progress.fed_line}, "
                f"{rate_text(progress.bytes_per_second)} delivered"
                + "".join(f"; {reason}" for reason in trouble)
            )

    def _say(self, line: str) -> None:
        if not self._mute:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


class _AboveLive(io.TextIOBase):
    """Lets log lines scroll by above the live view."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.print(text, end="", markup=False, highlight=False)
        return len(text)


def _screen(progress: Progress, snapshot: Snapshot, status_url: str | None) -> RenderableType:
    source = snapshot.sources[0]
    site = snapshot.vcenters[0]
    facts = Table.grid(padding=(0, 2))
    facts.add_row(
        "source", Text.assemble(source.token or "starting", (" not an HSM ", "black on yellow"))
    )
    facts.add_row("vCenter", f"the twin at {site.url}, TLS verified, {len(snapshot.hosts)} hosts")
    facts.add_row("page", status_url or "")
    facts.add_row(
        "reserve",
        f"{bytes_text(source.reserve_available_bytes)} of "
        f"{bytes_text(source.reserve_capacity_bytes)} in locked memory",
    )
    requests = sum(site.requests.values())
    facts.add_row(
        "delivered",
        f"{bytes_text(source.account.delivered)}, now {rate_text(progress.bytes_per_second)}, "
        f"in {requests:,} requests, {site.in_flight} in flight",
    )
    fed = progress.fed_after_seconds is not None
    headline = Text(progress.fed_line, style="bold green" if fed else "bold")
    done = Table.grid()  # a bar by itself does not end its line
    done.add_row(ProgressBar(total=progress.hosts, completed=progress.n_above, width=60))
    return Panel(
        Group(headline, done, facts, _hosts(snapshot)),
        title="entropy-bridge demo",
        subtitle="Ctrl-C ends it",
    )


def _hosts(snapshot: Snapshot) -> Table:
    title = "the first to run dry"
    table = Table(box=None, padding=(0, 2, 0, 0), title=title, title_justify="left")
    table.add_column("host")  # the one that gives way where the window is narrow
    table.add_column("pool", no_wrap=True)
    for head in ("", "uses", "dry in, unfed"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in sorted(snapshot.hosts, key=by_time_to_dry)[:_ROWS]:
        table.add_row(*_host(row))
    return table


def _host(row: HostRow) -> tuple[RenderableType, ...]:
    name = Text(row.name, no_wrap=True, overflow="ellipsis")
    if row.available_bytes is None or not row.capacity_bytes:
        return name, "", "not read yet", "", ""
    style = "red" if row.is_low else "green"
    bar = ProgressBar(
        total=row.capacity_bytes,
        completed=row.available_bytes,
        width=_BAR_WIDTH,
        complete_style=style,
        finished_style=style,
    )
    percent = f"{100 * row.available_bytes // row.capacity_bytes} %"
    drain = rate_text(row.drain_bytes_per_second or 0.0)
    dry = "" if row.seconds_to_dry is None else duration_text(row.seconds_to_dry)
    return name, bar, percent, drain, dry
