"""A long way to vCenter: looks keep their deadlines, or the bridge says that they cannot."""

import time

import pytest

from tests.daemon.conftest import vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.twin import TwinProcess

HOSTS = 120
TIMEOUT_SECONDS = 6  # so that each host is looked at within 2 s: 60 to 80 looks per second
WAY_SECONDS = (0.05, 0.3)  # one or the other: 12 requests at a time can cover it, but not 4


@pytest.fixture(scope="module")
def far_twin():
    with TwinProcess("--hosts", HOSTS, "--initial-level", 0.95) as twin:
        for host in twin.hosts():
            code, output = twin.esxcli(
                *(host, "system", "entropyd", "set"),
                *("--external-entropy-lost-timeout", str(TIMEOUT_SECONDS)),
            )
            assert code == 0, output
        twin.set_faults(*_way())
        yield twin


def _way():
    short, long = WAY_SECONDS
    return (
        {"kind": "delay", "delay_seconds": short},
        {"kind": "delay", "delay_seconds": long - short, "probability": 0.5},
    )


def _fed(token_table, twin, tmp_path, port, max_in_flight):
    return BridgeProcess(
        document(
            hsm_test=token_table,
            vcenter_twin=vcenter_table(twin, max_in_flight=max_in_flight),
            status={"listen": f"127.0.0.1:{port}"},
        ),
        tmp_path,
    )


def _keeps_up(bridge, port):
    """Whether every host is known, and for three seconds no look is later than its way takes."""
    for _ in range(15):
        status = bridge.status(port)
        known = [host["available_bytes"] is not None for host in status["hosts"]]
        if sum(known) < HOSTS or status["look_lateness_seconds"] > 2 * max(WAY_SECONDS):
            return False
        time.sleep(0.2)
    return True


def test_enough_connections_keep_every_deadline(test_token_table, far_twin, tmp_path, port):
    with _fed(test_token_table, far_twin, tmp_path, port, 64) as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: _keeps_up(bridge, port))
        assert bridge.status(port)["vcenters"][0]["in_flight_limit"] >= 12
        assert bridge.stop() == 0


def test_requests_in_trouble_keep_nobody_else_from_their_deadlines(
    test_token_table, far_twin, tmp_path, port
):
    operations = {"operations": ["pool.get", "pool.add"], "probability": 0.02}
    rare = [
        {"kind": kind, "seed": seed, "retry_after": None, **operations}
        for seed, kind in enumerate(("error", "unavailable", "reset_after_body", "lose_reply"))
    ]
    slow = {"kind": "delay", "delay_seconds": 3.0, "seed": 9, **operations}
    with _fed(test_token_table, far_twin, tmp_path, port, 64) as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: _keeps_up(bridge, port))
        try:
            far_twin.set_faults(*_way(), slow, *rare)
            limits = []
            for _ in range(40):
                vcenter = bridge.status(port)["vcenters"][0]
                assert vcenter["is_connected"]
                limits.append(vcenter["in_flight_limit"])
                time.sleep(0.2)
            assert all(it["struck"] for it in far_twin.faults())
        finally:
            far_twin.set_faults(*_way())
        assert min(limits) >= 12
        assert bridge.stop() == 0


def test_too_few_connections_are_told_of(test_token_table, far_twin, tmp_path, port):
    with _fed(test_token_table, far_twin, tmp_path, port, 4) as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: any("max_in_flight" in it for it in bridge.status(port)["warnings"]))
        assert bridge.status(port)["look_lateness_seconds"] > 0.0
        assert bridge.stop() == 0
