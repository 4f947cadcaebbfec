"""The planner in virtual time: `python -m benchmarks.planner`, from the project's root.

Prints a table, and writes the figures as JSON and as a plot if told where. Nothing sleeps; only
the CPU per visit depends on the machine. What the planner is held against is the clairvoyant bound
(tests/support/clairvoyant.py): drains, bursts and outages known beforehand, hosts looked at without
delay. No planner knows bursts beforehand, so for these a second bound says how far one could come
that knows and sees everything else (benchmarks/planner/foresight.py), and the planner runs once
more with every level told to it once a second: what is between it and itself is for want of looks,
what is between that and the bound is policy.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.planner.cost import Cost, cost, fit
from benchmarks.planner.measure import DECIDERS, INFORMED, Figures, bounds, measure
from benchmarks.planner.plot import draw
from benchmarks.planner.scenarios import large, small

if TYPE_CHECKING:
    from benchmarks.planner.scenarios import Scenario

SCALING = (300, 1000, 3000, 10_000, 30_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planner", description=__doc__)
    parser.add_argument("--hosts", type=int, default=300, help="hosts in the full matrix")
    parser.add_argument("--large", type=int, nargs="*", default=[2500, 10_000, 100_000])
    parser.add_argument("--seeds", type=int, default=1, help="draw drains anew so many times")
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    parser.add_argument("--jobs", type=int, default=1, help="scenarios that run side by side")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw the figures here, as PNG")
    parser.add_argument("--scaling", type=int, nargs="*", default=SCALING, help="hosts to time")
    options = parser.parse_args()

    figures: list[Figures] = []
    print(HEADER)
    scenarios = [
        replace(scenario, seed=seed)
        for scenario in [*small(options.hosts), *large(options.large)]
        for seed in range(options.seeds if scenario.drain != "constant" else 1)
    ]
    with ProcessPoolExecutor(options.jobs) as pool:
        for rows in pool.map(compare, [s for s in scenarios if options.only in s.name]):
            figures += rows
            print("\n".join(map(row, rows)), flush=True)
    scaling: list[Cost] = []
    for n in options.scaling:
        scaling.append(cost(n))
        print("{:>7} hosts: {:5.1f} us per visit, {:5.1f} per decision".format(*scaling[-1]))
    growth = fit(scaling) if len(scaling) > 1 else None
    if growth:
        print("us per decision = {:.1f} + {:.2f} log2(hosts), r2 {:.2f}".format(*growth))
    if options.json:
        document = {
            "environment": environment(),
            "figures": [f.as_json() for f in figures],
            "microseconds": [c._asdict() for c in scaling],
            "microseconds_fit": growth and growth._asdict(),
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.plot:
        draw(figures, scaling, options.plot)


def compare(scenario: Scenario) -> list[Figures]:
    bound = bounds(scenario)
    told = [INFORMED] if scenario.drain == "bursty" else []
    return [measure(scenario, decider, bound) for decider in [*DECIDERS, *told]]


HEADER = (
    f"{'scenario':<62}{'decider':<12}{'bound':>7}{'unfors':>7}{'empty':>7}{'share':>7}{'<10%':>7}"
    f"{'bound':>7}{'low':>7}{'dry%':>7}{'deliv%':>8}{'waste%':>8}{'Jain':>7}{'req/s':>9}{'unseen':>8}"
)


def row(f: Figures) -> str:
    return (
        f"{f.scenario:<62}{f.decider:<12}{_at(f.bound_dry)}{_at(f.bound_dry_unforeseen)}"
        f"{_at(f.first_dry)}{_at(f.share_of_bound, '.3f')}{_at(f.first_tenth)}"
        f"{_at(f.bound_low)}{_at(f.first_low)}{f.dry_share:7.1%}{f.delivered_share:8.1%}"
        f"{f.discarded_share:8.2%}{f.jain:7.3f}{f.requests_per_second:9.1f}{f.longest_unseen:8.1f}"
    )


def _at(figure: float | None, form: str = ".0f") -> str:
    return f"{'-' if figure is None else format(figure, form):>7}"


def environment() -> dict[str, str]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "cpu": models[0] if models else platform.processor(),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "commit": commit.stdout.strip(),
    }


if __name__ == "__main__":
    main()
