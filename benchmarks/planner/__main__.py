"""The planner in virtual time: `python -m benchmarks.planner`, from the project's root.

Prints a table, and writes the figures as JSON and as a plot if told where. Nothing sleeps; only
the microseconds per visit depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

from benchmarks.planner.measure import DECIDERS, Figures, bounds, measure
from benchmarks.planner.plot import draw
from benchmarks.planner.scenarios import Scenario, large, small

SCALING = (300, 1000, 3000, 10_000, 30_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planner", description=__doc__)
    parser.add_argument("--hosts", type=int, default=300, help="hosts in the full matrix")
    parser.add_argument("--large", type=int, nargs="*", default=[2500, 10_000, 100_000])
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw the figures here, as PNG")
    parser.add_argument("--no-scaling", action="store_true", help="skip the cost per visit")
    options = parser.parse_args()

    figures: list[Figures] = []
    print(HEADER)
    for scenario in [*small(options.hosts), *large(options.large)]:
        if options.only in scenario.name:
            bound = bounds(scenario)
            for decider in DECIDERS:
                figures.append(measure(scenario, decider, bound))
                print(row(figures[-1]), flush=True)
    scaling: list[tuple[int, float]] = []
    for n in () if options.no_scaling else SCALING:
        scaling.append((n, cost(n)))
        print(f"{n:>7} hosts: {scaling[-1][1]:5.1f} us of planner CPU per visit", flush=True)
    if options.json:
        document = {
            "environment": environment(),
            "figures": [f.as_json() for f in figures],
            "microseconds_per_visit": scaling,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.plot:
        draw(figures, scaling, options.plot)


HEADER = (
    f"{'scenario':<62}{'decider':<12}{'bound':>7}{'empty':>7}{'<10%':>7}{'bound':>7}{'low':>7}"
    f"{'dry%':>7}{'deliv%':>8}{'waste%':>8}{'Jain':>7}{'req/s':>8}{'unseen':>8}{'us':>6}"
)


def row(f: Figures) -> str:
    return (
        f"{f.scenario:<62}{f.decider:<12}{_at(f.bound_dry)}{_at(f.first_dry)}{_at(f.first_tenth)}"
        f"{_at(f.bound_low)}{_at(f.first_low)}{f.dry_share:7.1%}{f.delivered_share:8.1%}"
        f"{f.discarded_share:8.2%}{f.jain:7.3f}{f.requests_per_second:8.1f}"
        f"{f.longest_unseen:8.1f}{f.microseconds_per_visit:6.0f}"
    )


def _at(moment: float | None) -> str:
    return f"{'-' if moment is None else format(moment, '.0f'):>7}"


def cost(hosts: int) -> float:
    """Return microseconds per visit, the least of three runs where these are short."""
    scenario = Scenario(hosts, "heavy-tailed", 0.5, 20.0, start=0.5)
    unbound = (float("inf"), float("inf"))
    runs = 3 if hosts <= 10_000 else 1
    return min(measure(scenario, "planner", unbound).microseconds_per_visit for _ in range(runs))


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
