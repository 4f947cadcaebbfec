"""The status page: one HTML document that needs nothing else, and works without scripts."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from bridge.telemetry.clusters import clusters_of
from bridge.telemetry.html import badge, table
from bridge.telemetry.page_fleet import clusters_part, hosts_part
from bridge.telemetry.snapshot import (
    Account,
    HostState,
    Snapshot,
    SourceRow,
    SourceState,
    VCenterRow,
)
from bridge.telemetry.words import bytes_text, duration_text, rate_text

_TEMPLATE = Template((files("bridge.telemetry") / "status.html").read_text(encoding="utf-8"))

_SOURCE_STATES = {
    SourceState.STARTING: ("warn", "starting"),
    SourceState.RUNNING: ("good", "running"),
    SourceState.BACKOFF: ("bad", "waits for its next start"),
    SourceState.LATCHED_PIN: ("bad", "PIN refused: stopped for good"),
    SourceState.LATCHED_HEALTH: ("bad", "output test failed: stopped for good"),
    SourceState.STOPPED: ("bad", "stopped"),
}


def page(snapshot: Snapshot, nonce: str, query: str = "", *, every_host: bool = False) -> str:
    """Return the page; `query` keeps hosts whose name, id, cluster or vCenter contains it."""
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
        clusters_part(clusters_of(snapshot.hosts)),
        hosts_part(snapshot, query, every_host=every_host),
        _account(snapshot.sources),
        "</main>",
    )
    return "\n".join(parts)


def _title(snapshot: Snapshot) -> str:
    low = sum(1 for row in snapshot.hosts if row.is_low)
    state = "ready" if snapshot.is_ready else "NOT READY"
    return f"{f'{low} low · ' if low else ''}{state} · entropy-bridge"


def _header(snapshot: Snapshot) -> str:
    ready = badge("good", "ready") if snapshot.is_ready else badge("bad", "not ready")
    soft = [badge("warn", "soft token: not an HSM")] * any(
        source.is_soft_token for source in snapshot.sources
    )
    since = duration_text(snapshot.time - snapshot.started)
    return (
        f'<header><h1>entropy-bridge</h1>{ready}{"".join(soft)}<span class="soft">version '
        f"{escape(snapshot.version)}, Base64 by {escape(snapshot.kernel)}, up {since}"
        "</span></header>"
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


def _sources(sources: Sequence[SourceRow]) -> str:
    head = ("HSM", "State", "n:Rate", "n:Reserve", "n:Restarts", "n:Errors", "Last error", "Token")
    return f"<h2>HSMs</h2>{table('HSMs', head, map(_source, sources))}"


def _source(source: SourceRow) -> list[str]:
    badges = badge(*_SOURCE_STATES[SourceState(source.state)])
    if source.is_soft_token:
        badges += " " + badge("warn", "not an HSM")
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
    return f"<h2>vCenters</h2>{table('vCenters', head, map(_vcenter, vcenters))}"


def _vcenter(vcenter: VCenterRow) -> list[str]:
    state = badge("good", "connected") if vcenter.is_connected else badge("bad", "no session")
    return [
        f"<td>{escape(vcenter.name)}</td>",
        f"<td>{state}</td>",
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
    return f"<h2>Where the bytes went</h2>{table('Where the bytes went', head, rows)}"
