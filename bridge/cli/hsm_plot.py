"""What a probe found, as a picture."""

from pathlib import Path

from matplotlib.figure import Figure

from bridge.source.probe_report import ProbeReport


def draw_plot(report: ProbeReport, path: Path) -> None:
    """Draw rates and latencies by length into a PNG file."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    rates, latencies = figure.subplots(1, 2)
    for sessions in sorted({cell.sessions for cell in report.cells}):
        cells = [cell for cell in report.cells if cell.sessions == sessions and cell.calls]
        rates.plot(
            [cell.call_bytes for cell in cells],
            [cell.bytes_per_second for cell in cells],
            marker="o",
            label=f"{sessions} session{'s' if sessions > 1 else ''}",
        )
    alone = min(cell.sessions for cell in report.cells)
    cells = [cell for cell in report.cells if cell.sessions == alone and cell.calls]
    for name in ("p50", "p90", "p99", "max"):
        latencies.plot(
            [cell.call_bytes for cell in cells],
            [getattr(cell, f"{name}_seconds") for cell in cells],
            marker="o",
            label=name,
        )
    for axes, title in (
        (rates, "bytes per second"),
        (latencies, f"seconds per call, {alone} session"),
    ):
        axes.set_title(title)
        axes.set_xlabel("bytes per call")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    figure.suptitle(f"{report.token_label or report.model} ({Path(report.module).name})")
    figure.savefig(path, format="png", dpi=120)
