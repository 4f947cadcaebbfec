import math

import pytest

from bridge.telemetry.snapshot import Account, ConfigRow, HostRow, Snapshot, SourceRow, VCenterRow

NASTY = '<script>alert("x")</script>\\ \n& \'"'


@pytest.fixture
def snapshot():
    return Snapshot(
        time=1_700_000_100.0,
        started=1_700_000_000.0,
        version="0.1.0",
        kernel="avx2",
        hosts=(
            HostRow(
                "a", "host-1", "esx1", "fed", 400_000, 524_288, 104_857, 1024.0, 390.6, False, 1.7e9
            ),
            HostRow(
                "a", "host-2", "esx2", "fed", 50_000, 524_288, 104_857, 1024.0, 48.8, True, 1.7e9
            ),
            HostRow("a", "host-3", NASTY, "disabled"),
            HostRow(
                "a", "host-4", "esx4", "fed", 524_288, 524_288, 104_857, 0.0, math.inf, False, 1.7e9
            ),
            HostRow("a", "host-5", "esx5", "waiting"),
        ),
        sources=(
            SourceRow(
                name="luna",
                state="running",
                is_soft_token=True,
                token=NASTY,
                bytes_per_second=1e6,
                reserve_available_bytes=1_000_000,
                reserve_capacity_bytes=1_572_864,
                restarts=2,
                errors=3,
                test_failures={"poison": 1, "repetition": 0},
                account=Account(
                    generated=100, failed=1, startup=2, lost=3, delivered=90, in_ring=4
                ),
                last_error=NASTY,
            ),
        ),
        vcenters=(
            VCenterRow(
                name="a",
                url="https://vcenter.example.com",
                is_connected=True,
                n_hosts=5,
                in_flight=1,
                in_flight_limit=32,
                requests={("add", "200"): 7, ("pool", "timeout"): 1},
                last_error=NASTY,
            ),
        ),
        look_lateness_seconds=0.5,
        config=ConfigRow(in_force_since=1.6e9),
    )
