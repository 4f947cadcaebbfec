"""What the demo shows in windows of different widths."""

import pytest
from rich.console import Console

from bridge.daemon.demo_view import _hosts
from bridge.telemetry.snapshot import HostRow, HostState, Snapshot

ROW = HostRow(
    vcenter="twin",
    host="host-1012",
    name="esx-0012.example.test",
    state=HostState.FED,
    available_bytes=520_000,
    capacity_bytes=524_288,
    low_watermark_bytes=104_857,
    drain_bytes_per_second=1024.0,
    seconds_to_dry=508.0,
)


@pytest.mark.parametrize(("width", "name"), [(76, "esx-0012.example.test "), (56, "esx-")])
def test_every_host_is_one_line_with_its_time(width, name):
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(_hosts(Snapshot(0.0, 0.0, "1", "scalar", (ROW,))))
    _, _, line = captured.get().splitlines()
    assert line.startswith(name)
    assert "99 %" in line
    assert line.rstrip().endswith("8 min 28 s")
