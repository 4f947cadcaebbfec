"""What `hosts` and `fill` show of a fleet: all of a small one, and of a large one what matters.

A fleet of several clusters is a line per cluster and the hosts that would run dry first. A window
shows as much of both as fits, side by side where it is wide.
"""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.cli.clusters import clusters_table
from bridge.cli.table import Detail, hosts_table
from bridge.telemetry.clusters import Cluster, clusters_of
from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry
from bridge.telemetry.words import duration_text

_SIDE_BY_SIDE_CHARACTERS = 180
_HEAD_LINES = 1
_GAP_LINES = 1
_NAMED = 3  # of the hosts that cannot be read


def listing(
    rows: Sequence[HostRow], screen: Console, most_hosts: int | None = None
) -> RenderableType:
    """Return the hosts, at most so many, then a line per cluster: the end is what one sees."""
    ordered = sorted(rows, key=by_time_to_dry)
    clusters = clusters_of(ordered)
    detail = Detail.fitting(screen.width)
    parts: list[RenderableType] = [hosts_table(ordered[:most_hosts], detail), Text()]
    if most_hosts is not None and len(ordered) > most_hosts:
        parts.insert(1, Text(f"and {len(ordered) - most_hosts} more hosts"))
    if len(clusters) > 1:
        parts += [clusters_table(clusters, detail), Text()]
    return Group(*parts, Text(summary(ordered, clusters)))


def window(rows: Sequence[HostRow], screen: Console, trouble: str = "") -> RenderableType:
    """Return what fits into the window; `trouble` says why it could not be looked at anew."""
    ordered = sorted(rows, key=by_time_to_dry)
    clusters = clusters_of(ordered)
    words = Text(trouble, style="bold red") if trouble else Text(summary(ordered, clusters))
    lines = screen.height - _GAP_LINES - len(words.wrap(screen, screen.width))
    detail = Detail.fitting(screen.width)
    if len(clusters) <= 1:
        shown = ordered[: max(1, lines - _HEAD_LINES)]
        return Group(hosts_table(shown, detail), Text(), words)
    if screen.width >= _SIDE_BY_SIDE_CHARACTERS:
        return Group(_side_by_side(ordered, clusters, max(1, lines - _HEAD_LINES)), Text(), words)
    n_hosts, n_clusters = shares(
        max(2, lines - 2 * _HEAD_LINES - _GAP_LINES), len(ordered), len(clusters)
    )
    return Group(
        clusters_table(clusters[:n_clusters], detail),
        Text(),
        hosts_table(ordered[:n_hosts], detail),
        Text(),
        words,
    )


def shares(n_lines: int, n_hosts: int, n_clusters: int) -> tuple[int, int]:
    """Divide lines between hosts and clusters: half each, and what one does not need the other."""
    half = n_lines // 2
    hosts = min(n_hosts, max(half, n_lines - n_clusters))
    return hosts, min(n_clusters, n_lines - hosts)


def _side_by_side(rows: list[HostRow], clusters: list[Cluster], n_lines: int) -> Table:
    both = Table.grid(padding=(0, 3, 0, 0))
    both.add_row(clusters_table(clusters[:n_lines]), hosts_table(rows[:n_lines], Detail.LESS))
    return both


def summary(rows: Sequence[HostRow], clusters: Sequence[Cluster]) -> str:
    """Return the fleet in one sentence."""
    low = sum(1 for row in rows if row.is_low)
    disabled = sum(1 for row in rows if row.state == HostState.DISABLED)
    unread = [row.name for row in rows if row.state not in {HostState.FED, HostState.DISABLED}]
    known = [row.seconds_to_dry for row in rows if row.seconds_to_dry is not None]
    n_clusters = sum(1 for cluster in clusters if cluster.name)
    where = f" in {n_clusters} clusters" if n_clusters > 1 else ""
    words = [f"{len(rows)} hosts{where}", f"{low} under their watermark"]
    if disabled:
        words.append(f"{disabled} that take nothing")
    if unread:
        more = ", …" if len(unread) > _NAMED else ""
        words.append(f"{len(unread)} that cannot be read ({', '.join(unread[:_NAMED])}{more})")
    if known:
        words.append(f"the first is dry in {duration_text(min(known))} if nobody feeds it")
    return "; ".join(words)
