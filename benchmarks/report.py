"""Figures with their spread, and what they were measured on."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def summary(values: Sequence[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "lower_quartile": low, "upper_quartile": high}


def ratios(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    """Of the two figures of each round."""
    return summary([a / b for a, b in zip(over, under, strict=True)])


def said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def machine(*measured: str) -> dict[str, object]:
    """Say where and what: `measured` are the paths whose changes would change the figures."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    commit = said(["git", "rev-parse", "--short", "HEAD"])
    if said(["git", "status", "--porcelain", "--", *measured]):
        commit += " with changes"
    return {
        "cpu": next(
            (i.split(":", 1)[1].strip() for i in cpuinfo if i.startswith("model name")), ""
        ),
        "cpus": sum(i.startswith("processor") for i in cpuinfo),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit,
        "load_average": Path("/proc/loadavg").read_text().split()[0],
    }


def write(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
