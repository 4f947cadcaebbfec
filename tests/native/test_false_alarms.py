"""How often good bytes fail the output tests, as ARCHITECTURE.md states it."""

import runpy

import pytest

from tests.support.testtoken import ROOT

CUTOFFS = runpy.run_path(str(ROOT / "native" / "src" / "health" / "cutoffs.py"))
ROWS = {
    "repetition count": ("repetition, discard", "repetition, latch"),
    "adaptive proportion": ("proportion, discard", "proportion, latch"),
    "consecutive blocks": ("consecutive",),
    "poison": ("poison",),
    "start-up": ("start-up, each time",),
}
CONSTANTS = {
    "repetition count": ("REPETITION_DISCARD", "REPETITION_LATCH"),
    "adaptive proportion": ("PROPORTION_DISCARD", "PROPORTION_LATCH", "WINDOW_BYTES"),
    "start-up": ("STARTUP_ONES_MIN", "STARTUP_ONES_MAX", "STARTUP_BYTES"),
}


def row(test: str) -> str:
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    [found] = [line for line in lines if line.startswith(f"| {test} |")]
    return found


@pytest.mark.parametrize("test", ROWS)
def test_the_rates(test: str) -> None:
    rates = CUTOFFS["false_alarms_per_gib"]()
    stated = row(test).split("|")[-2].replace(",", "").split()
    assert {f"{rates[name]:.2g}" for name in ROWS[test]} <= set(stated)


@pytest.mark.parametrize("test", CONSTANTS)
def test_the_cutoffs(test: str) -> None:
    constants = CUTOFFS["constants"]()
    assert {str(constants[name]) for name in CONSTANTS[test]} <= set(row(test).split())
