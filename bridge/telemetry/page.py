"""The status page: one HTML document that needs nothing else, and works without scripts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from bridge.telemetry.snapshot import (
    Account,
    HostRow,
    HostState,
    Snapshot,
    SourceRow,
    SourceState,
    VCenterRow,
    by_time_to_dry,
)
from bridge.telemetry.words import bytes_text, duration_text, rate_text

HOSTS_SHOWN = 100

_SOON_SECONDS = 120.0
_TEMPLATE = Template((files("bridge.telemetry") / "status.html").read_text(encoding="utf-8"))

_HOST_STATES = {
    HostState.FED: ("good", "fed"),
    HostState.WAITING: ("warn", "not read yet"),
    HostState.DISABLED: ("warn", "takes no external entropy"),
    HostState.UNREACHABLE: ("bad", "vCenter does not reach it"),
    HostState.REFUSED: ("bad", "vCenter refuses: check the privileges"),
    HostState.UNCERTAIN: ("warn", "to be read again"),
}
_SOURCE_STATES = {
    SourceState.STARTING: ("warn", "starting"),
    SourceState.RUNNING: ("good", "running"),
    SourceState.BACKOFF: ("bad", "waits for its next start"),
    SourceState.LATCHED_PIN: ("bad", "PIN refused: stopped for good"),
    SourceState.LATCHED_HEALTH: ("bad", "output test failed: stopped for good"),
    SourceState.STOPPED: ("bad", "stopped"),
}


def page(snapshot: Snapshot, nonce: str, query: str = "", *, every_host: bool = False) -> str:
    """Return the page; `query` keeps hosts whose name, id or vCenter contains it."""
    return _TEMPLATE.substitute(
        title=escape(_title(snapshot)),
        nonce=escape(nonce),
        live=live_part(snapshot, query, every_host=every_host),
    )


def live_part(snapshot: Snapshot, query: str = "", *, every_host: bool = False) -> str:
    """Return the part of the page that changes."""
    parts = (
        f'<main id="live" data-title="{escape(_title(snapshot))}">',
        _header(snapshot),
        _notes(snapshot),
        _tiles(snapshot),
        _sources(snapshot.sources),
        _vcenters(snapshot.vcenters),
        _hosts(snapshot, query, every_host=every_host),
        _account(snapshot.sources),
        "</main>",
    )
    return "\n".join(parts)


def shown_hosts(snapshot: Snapshot, query: str, limit: int | None) -> tuple[Sequence[HostRow], int]:
    """Return the hosts that match, the first to run dry first, and how many match in all."""
    wanted = query.casefold()
    rows = snapshot.hosts
    if wanted:
        rows = tuple(r for r in rows if wanted in f"{r.name} {r.host} {r.vcenter}".casefold())
    found = sorted(rows, key=by_time_to_dry)
    return found[:limit], len(found)


def _title(snapshot: Snapshot) -> str:
    low = sum(1 for row in snapshot.hosts if row.is_low)
    state = "ready" if snapshot.is_ready else "NOT READY"
    return f"{f'{low} low · ' if low else ''}{state} · entropy-bridge"


def _badge(kind: str, text: str) -> str:
    return f'<span class="badge {kind}">{escape(text)}</span>'


def _header(snapshot: Snapshot) -> str:
    badge = _badge("good", "ready") if snapshot.is_ready else _badge("bad", "not ready")
    soft = [_badge("warn", "soft token: not an HSM")] * any(
        source.is_soft_token for source in snapshot.sources
    )
    since = duration_text(snapshot.time - snapshot.started)
    return (
        f'<header><h1>entropy-bridge</h1>{badge}{"".join(soft)}<span class="soft">version '
        f"{escape(snapshot.version)}, {escape(snapshot.kernel)}, up {since}</span></header>"
    )


def _notes(snapshot: Snapshot) -> str:
    bad = [f'<p class="note bad">{escape(text)}</p>' for text in snapshot.not_ready]
    warn = [f'<p class="note warn">{escape(text)}</p>' for text in snapshot.warnings]
    return "".join(bad + warn)


def _tiles(snapshot: Snapshot) -> str:
    low = sum(1 for row in snapshot.hosts if row.is_low)
    dry = [row.seconds_to_dry for row in snapshot.hosts if row.seconds_to_dry is not None]
    fed = sum(1 for row in snapshot.hosts if row.state == HostState.FED)
    reserve = sum(source.reserve_available_bytes for source in snapshot.sources)
    room = sum(source.reserve_capacity_bytes for source in snapshot.sources)
    rate = sum(source.bytes_per_second for source in snapshot.sources)
    drain = sum(row.drain_bytes_per_second or 0.0 for row in snapshot.hosts)
    n_hosts = len(snapshot.hosts)
    return (
        '<div class="tiles">'
        + _tile(duration_text(min(dry, default=None)), "until the first host is dry, unfed")
        + _tile(f"{fed} of {n_hosts}", "hosts are fed")
        + _tile(str(low), "hosts under their low watermark")
        + _tile(bytes_text(reserve), f"in reserve, of {bytes_text(room)}")
        + _tile(rate_text(rate), f"from HSMs; hosts use {rate_text(drain)}")
        + "</div>"
    )


def _tile(value: str, text: str) -> str:
    return f'<div class="tile"><b>{escape(value)}</b><span>{escape(text)}</span></div>'


def _hosts(snapshot: Snapshot, query: str, *, every_host: bool) -> str:
    rows, n_found = shown_hosts(snapshot, query, None if every_host else HOSTS_SHOWN)
    counts = Counter(row.state for row in snapshot.hosts)
    states = ", ".join(f"{counts[state]} {state}" for state in HostState if counts[state])
    form = (
        '<form method="get"><label for="q">Hosts</label>'
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
        "vCenter",
    )
    body = (_host(row, snapshot.time) for row in rows)
    return f"<h2>Hosts, the first to run dry first</h2>{form}{_table(head, body)}"


def _host(row: HostRow, now: float) -> list[str]:
    kind, text = _HOST_STATES[HostState(row.state)]
    badges = _badge(kind, text)
    if row.is_low:
        badges += " " + _badge("bad", "low")
    if row.shared:
        badges += " " + _badge("warn", "fed by others too")
    age = "never" if row.last_success is None else f"{duration_text(now - row.last_success)} ago"
    known = row.available_bytes is not None
    drain = row.drain_bytes_per_second
    dry = duration_text(row.seconds_to_dry) if known else "unknown"
    if row.seconds_to_dry is not None and row.seconds_to_dry < _SOON_SECONDS:
        dry = f'<span class="badge bad">{dry}</span>'
    return [
        f"<td>{escape(row.name)}</td>",
        f"<td>{_meter(row)}</td>",
        f'<td class="n">{dry}</td>',
        f'<td class="n">{bytes_text(row.available_bytes or 0) if known else ""}</td>',
        f'<td class="n">{"" if drain is None else rate_text(drain)}</td>',
        f"<td>{badges}</td>",
        f'<td class="n">{age}</td>',
        f"<td>{escape(row.vcenter)}</td>",
    ]


def _meter(row: HostRow) -> str:
    if row.available_bytes is None or not row.capacity_bytes:
        return ""
    low = row.low_watermark_bytes or 0
    percent = 100 * row.available_bytes // row.capacity_bytes
    return (
        f'<meter min="0" max="{row.capacity_bytes}" low="{low}" optimum="{row.capacity_bytes}" '
        f'value="{row.available_bytes}">{percent} %</meter> {percent} %'
    )


def _sources(sources: Sequence[SourceRow]) -> str:
    head = ("HSM", "State", "n:Rate", "n:Reserve", "n:Restarts", "n:Errors", "Last error", "Token")
    return f"<h2>HSMs</h2>{_table(head, map(_source, sources))}"


def _source(source: SourceRow) -> list[str]:
    badges = _badge(*_SOURCE_STATES[SourceState(source.state)])
    if source.is_soft_token:
        badges += " " + _badge("warn", "not an HSM")
    available, room = source.reserve_available_bytes, source.reserve_capacity_bytes
    return [
        f"<td>{escape(source.name)}</td>",
        f"<td>{badges}</td>",
        f'<td class="n">{rate_text(source.bytes_per_second)}</td>',
        f'<td class="n">{bytes_text(available)} of {bytes_text(room)}</td>',
        f'<td class="n">{source.restarts}</td>',
        f'<td class="n">{source.errors}</td>',
        f'<td class="long">{escape(source.last_error)}</td>',
        f"<td>{escape(source.token)}</td>",
    ]


def _vcenters(vcenters: Sequence[VCenterRow]) -> str:
    head = ("vCenter", "State", "n:Hosts", "n:In flight", "Last error", "URL")
    return f"<h2>vCenters</h2>{_table(head, map(_vcenter, vcenters))}"


def _vcenter(vcenter: VCenterRow) -> list[str]:
    badge = _badge("good", "connected") if vcenter.is_connected else _badge("bad", "no session")
    return [
        f"<td>{escape(vcenter.name)}</td>",
        f"<td>{badge}</td>",
        f'<td class="n">{vcenter.n_hosts}</td>',
        f'<td class="n">{vcenter.in_flight} of {vcenter.in_flight_limit}</td>',
        f'<td class="long">{escape(vcenter.last_error)}</td>',
        f"<td>{escape(vcenter.url)}</td>",
    ]


def _account(sources: Sequence[SourceRow]) -> str:
    head = ("HSM", *(f"n:{name.replace('_', ' ')}" for name in Account.__dataclass_fields__))
    rows = (
        [f"<td>{escape(source.name)}</td>"]
        + [
            f'<td class="n">{bytes_text(getattr(source.account, name))}</td>'
            for name in Account.__dataclass_fields__
        ]
        for source in sources
    )
    return f"<h2>Where the bytes went</h2>{_table(head, rows)}"


def _table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    cells = "".join(
        f'<th class="n">{escape(text[2:])}</th>' if text.startswith("n:") else f"<th>{text}</th>"
        for text in head
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
