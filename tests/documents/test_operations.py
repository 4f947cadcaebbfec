"""OPERATIONS.md has a word on whatever the bridge may say, and its figures are right."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "OPERATIONS.md").read_text()
RULES = (ROOT / "deploy" / "prometheus" / "entropy-bridge.rules.yml").read_text()
PROOFS = (ROOT / "deploy" / "prometheus" / "entropy-bridge.test.yml").read_text()
POOLS = {"512 KiB (the default)": 2**19, "2 MiB": 2**21, "8 MiB": 2**23}
MIB_RAW_OF_RESERVE = 0.75 * 2  # of the default, 2 MiB


def alerts():
    return re.findall(r"- alert: (\w+)", RULES)


def complaints():
    """Yield what stands in the code as the text of a warning or an error for the log."""
    for path in (ROOT / "bridge").rglob("*.py"):
        if "twin" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=receiver, attr="warning" | "error" | "exception"),
                    args=[ast.Constant(value=str(text))],
                ) if "log" in ast.unparse(receiver):
                    yield text


def rows(head):
    """Return the cells of the table whose first row begins with `head`, without that row."""
    table = OPERATIONS[OPERATIONS.index(f"| {head} |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]


def test_every_alert_has_a_paragraph_and_every_paragraph_an_alert():
    section = OPERATIONS[OPERATIONS.index("## When an alert comes") :]
    assert sorted(re.findall(r"^### (\w+)", section, re.MULTILINE)) == sorted(alerts())


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_is_proved_to_come(alert):
    cases = PROOFS.split("- alertname: ")
    assert any(case.startswith(f"{alert}\n") and "exp_alerts" in case for case in cases)


def test_every_complaint_in_the_log_is_explained():
    explained = {cells[0].strip("`") for cells in rows("line")}
    assert explained == set(complaints())


@pytest.mark.parametrize("cells", rows("pool"), ids=lambda cells: cells[0])
def test_how_long_a_pool_lasts(cells):
    for said, used in zip(cells[1:], (256, 1024, 4096), strict=True):
        minutes = POOLS[cells[0]] / used / 60
        assert said == f"{minutes:.{0 if minutes > 10 else 1}f} min"


@pytest.mark.parametrize("cells", rows("hosts at 1 KiB/s"), ids=lambda cells: cells[0])
def test_how_much_hsm_a_fleet_needs(cells):
    used = int(cells[0].replace(",", "")) * 1024 / 1e6
    assert cells[1:4] == [f"{used * n:.2f} MB/s" for n in (1, 2, 2 * 4 / 3)]
    assert cells[4] == f"{2**19 / 1024 / 60:.1f} min"


def test_how_long_a_reserve_lasts():
    assert f"2 MiB carry 300 hosts for {MIB_RAW_OF_RESERVE * 1024 / 300:.0f} seconds" in OPERATIONS
