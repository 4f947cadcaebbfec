"""The status page's part on hosts: a line per cluster, and the hosts that run dry first."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from bridge.telemetry.clusters import NO_CLUSTER, Cluster
from bridge.telemetry.html import badge, table
from bridge.telemetry.snapshot import HostRow, HostState, Snapshot, by_time_to_dry
from bridge.telemetry.words import bytes_text, duration_text, rate_text

HOSTS_SHOWN = 100

_SOON_SECONDS = 120.0

_HOST_STATES = {
    HostState.FED: ("good", "fed"),
    HostState.WAITING: ("warn", "not read yet"),
    HostState.DISABLED: ("warn", "takes no external entropy"),
    HostState.UNREACHABLE: ("bad", "vCenter does not reach it"),
    HostState.REFUSED: ("bad", "vCenter refuses: check the privileges"),
    HostState.UNCERTAIN: ("warn", "to be read again"),
}


def shown_hosts(snapshot: Snapshot, query: str, limit: int | None) -> tuple[Sequence[HostRow], int]:
    """Return the hosts that match, the first to run dry first, and how many match in all."""
    wanted = query.casefold()
    rows = snapshot.hosts
    if wanted:
        rows = tuple(
            r for r in rows if wanted in f"{r.name} {r.host} {r.cluster} {r.vcenter}".casefold()
        )
    found = sorted(rows, key=by_time_to_dry)
    return found[:limit], len(found)


def clusters_part(clusters: Sequence[Cluster]) -> str:
    """Return the clusters' table; nothing for a fleet of one, where the hosts' says as much."""
    if len(clusters) < 2:
        return ""
    head = (
        "Cluster",
        "n:Hosts",
        "n:Low",
        "n:Not fed",
        "Worst",
        "n:Dry in, unfed",
        "First host",
        "vCenter",
    )
    title = "Clusters, by their first host to run dry"
    return f"<h2>{title}</h2>{table(title, head, map(_cluster, clusters))}"


def _cluster(cluster: Cluster) -> list[str]:
    first = cluster.hosts[0]
    name = escape(cluster.name or NO_CLUSTER)
    if cluster.name:
        name = f'<a href="?{escape(urlencode({"q": cluster.name}))}#hosts">{name}</a>'
    low = badge("bad", str(cluster.n_low)) if cluster.n_low else ""
    unfed = badge("warn", str(cluster.n_unfed)) if cluster.n_unfed else ""
    return [
        f"<td>{name}</td>",
        f'<td class="n">{len(cluster.hosts)}</td>',
        f'<td class="n">{low}</td>',
        f'<td class="n">{unfed}</td>',
        f"<td>{_meter(first)}</td>",
        f'<td class="n">{_dry(first)}</td>',
        f"<td>{escape(first.name)}</td>",
        f"<td>{escape(cluster.vcenter)}</td>",
    ]


def hosts_part(snapshot: Snapshot, query: str, *, every_host: bool) -> str:
    """Return the form that searches, and the first hosts of those that match, or all of them."""
    rows, n_found = shown_hosts(snapshot, query, None if every_host else HOSTS_SHOWN)
    counts = Counter(row.state for row in snapshot.hosts)
    states = ", ".join(f"{counts[state]} {state}" for state in HostState if counts[state])
    form = (
        '<form method="get" action="#hosts"><label for="q">Hosts</label>'
        f'<input id="q" name="q" type="search" placeholder="name" value="{escape(query)}">'
        '<button name="all" value="1">Show all</button>'
        f'<span class="soft">{len(rows)} of {n_found} shown ({escape(states) or "none"})</span>'
        "</form>"
    )
    head = (
        "Host",
        "Pool",
        "n:Dry in, unfed",
        "n:Available",
        "n:Uses",
        "State",
        "n:Last success",
        "Cluster",
        "vCenter",
    )
    body = (_host(row, snapshot.time) for row in rows)
    title = "Hosts, the first to run dry first"
    return f'<h2 id="hosts">{title}</h2>{form}{table(title, head, body)}'


def _host(row: HostRow, now: float) -> list[str]:
    kind, text = _HOST_STATES[HostState(row.state)]
    badges = badge(kind, text)
    if row.is_low:
        badges += " " + badge("bad", "low")
    if row.shared:
        badges += " " + badge("warn", "fed by others too")
    age = "never" if row.last_success is None else f"{duration_text(now - row.last_success)} ago"
    known = row.available_bytes is not None
    drain = row.drain_bytes_per_second
    return [
        f"<td>{escape(row.name)}</td>",
        f"<td>{_meter(row)}</td>",
        f'<td class="n">{_dry(row)}</td>',
        f'<td class="n">{bytes_text(row.available_bytes or 0) if known else ""}</td>',
        f'<td class="n">{"" if drain is None else rate_text(drain)}</td>',
        f"<td>{badges}</td>",
        f'<td class="n">{age}</td>',
        f"<td>{escape(row.cluster)}</td>",
        f"<td>{escape(row.vcenter)}</td>",
    ]


def _dry(row: HostRow) -> str:
    if row.available_bytes is None:
        return "unknown"
    dry = duration_text(row.seconds_to_dry)
    if row.seconds_to_dry is not None and row.seconds_to_dry < _SOON_SECONDS:
        return f'<span class="badge bad">{dry}</span>'
    return dry


def _meter(row: HostRow) -> str:
    if row.available_bytes is None or not row.capacity_bytes:
        return ""
    low = row.low_watermark_bytes or 0
    percent = 100 * row.available_bytes // row.capacity_bytes
    return (
        f'<meter min="0" max="{row.capacity_bytes}" low="{low}" optimum="{row.capacity_bytes}" '
        f'value="{row.available_bytes}">{percent} %</meter> {percent} %'
    )
