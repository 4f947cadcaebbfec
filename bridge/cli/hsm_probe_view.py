"""What a probe found, for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.cli.table import plain_table
from bridge.native.ckr import ckr_name
from bridge.native.probe import ProbedCall, ProbedCell
from bridge.source.probe_report import ProbeReport
from bridge.telemetry.words import rate_text

_PERCENTILES = ("p50", "p90", "p99", "max")


def probe_shown(report: ProbeReport) -> RenderableType:
    """Return rates by length and sessions, latencies, odd lengths, and what to configure."""
    token = f"{report.token_label or '(no label)'}, serial {report.serial or '(none)'}"
    login = "needed" if report.login_needed else "not needed (a PIN can be left out)"
    return Group(
        Text(
            f"{report.module}\n{token}, {report.model}, slot {report.slot}\n"
            f"login for random bytes: {login}\nlongest call: {_limit(report)}\n"
        ),
        _rates(report),
        Text(f"\nother lengths: {', '.join(_length(call) for call in report.lengths)}"),
        Text(f"\n{_advice(report)}", style="bold"),
    )


def latency_text(seconds: float) -> str:
    """Write 0.000123 as "123 us"."""
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            value = seconds * scale
            return f"{value:.0f} {unit}" if value >= 9.95 else f"{value:.1f} {unit}"
    return f"{seconds:.2f} s"


def _limit(report: ProbeReport) -> str:
    limit = report.limit
    if limit.ckr is not None:
        return f"{limit.longest_bytes:,} bytes; beyond it, {ckr_name(limit.ckr)}"
    return f"{limit.longest_bytes:,} bytes; longer ones were not tried"


def _rates(report: ProbeReport) -> Table:
    sessions = sorted({cell.sessions for cell in report.cells})
    several = [f">{n} session{'s' if n > 1 else ''}" for n in sessions]
    table = plain_table(">Bytes per call", *several, *(f">{name}" for name in _PERCENTILES))
    found = {(cell.call_bytes, cell.sessions): cell for cell in report.cells}
    for size in sorted({cell.call_bytes for cell in report.cells}):
        row = [found.get((size, n)) for n in sessions]
        alone = row[0]
        table.add_row(f"{size:,}", *map(_rate, row), *_latencies(alone))
    table.caption = f"p50 to max: what a call takes in {sessions[0]} session"
    table.caption_justify = "left"
    return table


def _rate(cell: ProbedCell | None) -> str:
    if cell is None:
        return ""
    return ckr_name(cell.ckr) if cell.ckr else rate_text(cell.bytes_per_second)


def _latencies(cell: ProbedCell | None) -> list[str]:
    if cell is None or not cell.calls:
        return [""] * len(_PERCENTILES)
    return [latency_text(getattr(cell, f"{name}_seconds")) for name in _PERCENTILES]


def _length(call: ProbedCall) -> str:
    words = ckr_name(call.ckr) if call.ckr else "ok"
    if call.unwritten:
        words += " BUT NOT ALL WRITTEN"
    if call.spilled:
        words += " BUT WRITTEN BEYOND THE END"
    return f"{call.length_bytes:,} {words}"


def _advice(report: ProbeReport) -> str:
    advice = report.advice
    if advice is None:
        return "no length worked throughout: see the CKRs above"
    share = advice.bytes_per_second / advice.best_bytes_per_second
    return (
        f"configure: call_bytes = {advice.call_bytes}, sessions = {advice.sessions}   "
        f"# {rate_text(advice.bytes_per_second)}, {share:.0%} of the best"
    )
