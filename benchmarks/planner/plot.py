"""Draws the figures; wants matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.planner.cost import Cost
    from benchmarks.planner.measure import Figures

COLOURS = {"planner": "#1a7f4b", "round-robin": "#c77d1e", "threshold": "#8a5a9e"}


def draw(figures: Sequence[Figures], scaling: Sequence[Cost], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figures = [f for f in figures if f.decider in COLOURS]
    scarce = [f for f in figures if f.share_of_bound is not None]
    fig, axes = plt.subplots(1, 3, figsize=(17, 5.2), width_ratios=[1.4, 1, 0.8])
    bars, lines, cost = axes
    names = list(dict.fromkeys(f.scenario for f in scarce))
    for offset, decider in enumerate(COLOURS):
        rows = {f.scenario: f for f in scarce if f.decider == decider}
        heights = [rows[n].share_of_bound for n in names]
        places = [i + 0.27 * (offset - 1) for i in range(len(names))]
        bars.barh(places, heights, height=0.25, color=COLOURS[decider], label=decider)
    bars.axvline(1.0, color="black", linewidth=0.8)
    bars.axvline(0.95, color="grey", linewidth=0.6, linestyle="--")
    bars.set_yticks(range(len(names)), names, fontsize=8)
    bars.invert_yaxis()
    bars.set_xlabel(
        "until the first host is empty (from where the HSM goes away), share of the bound"
    )

    shown = next((n for n in names if "heavy" in n), names[0]) if names else None
    for f in figures:
        if f.scenario == shown:
            seconds, levels = zip(*f.lowest_over_time, strict=True)
            percent = [100 * level for level in levels]
            lines.plot(seconds, percent, color=COLOURS[f.decider], label=f.decider)
    lines.axhline(20, color="grey", linewidth=0.6, linestyle="--")
    lines.set_title(shown or "", fontsize=9)
    lines.set_xlabel("seconds")
    lines.set_ylabel("lowest host, % of capacity")
    lines.set_ylim(bottom=0)
    lines.legend(loc="upper right")

    if scaling:
        sizes = [at.hosts for at in scaling]
        cost.semilogx(sizes, [at.per_visit for at in scaling], "o-", label="visit")
        cost.semilogx(sizes, [at.per_decision for at in scaling], "o-", label="decision")
        cost.legend()
    cost.set_ylim(bottom=0)
    cost.set_xlabel("hosts")
    cost.set_ylabel("planner CPU, µs")
    fig.tight_layout()
    fig.savefig(path, dpi=110)
