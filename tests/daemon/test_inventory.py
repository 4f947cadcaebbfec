"""Hosts that come, go and move while the bridge runs: those of the filter are fed, no others."""

import time

import pytest

from bridge.twin.recorder import Recording
from tests.daemon.conftest import vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.twin import TwinProcess

THIRSTY = {"level_bytes": 150_000, "drain_bytes_per_second": 20_000.0}
FED_BYTES = 300_000


@pytest.fixture
def record(tmp_path):
    return tmp_path / "record"


def hurry(twin, host):
    """Let a host be looked at every two seconds."""
    words = ("system", "entropyd", "set", "--external-entropy-lost-timeout", "6")
    assert twin.esxcli(host, *words) == (0, "")


def asked(record, host, since):
    """What was asked about a host from a moment on."""
    return [it for it in Recording(record).entries if it.host == host and it.time_seconds > since]


def test_the_bridge_follows_the_inventory(test_token_table, record, tmp_path, port):
    """Hosts 1001, 1003 … are in cluster-01, the others in cluster-02; only the former are meant."""
    with TwinProcess("--hosts", 8, "--clusters", 2, "--record", record) as twin:
        text = document(
            hsm_test=test_token_table,
            vcenter_twin=vcenter_table(twin, hosts={"clusters": ["cluster-01"]}),
            status={"listen": f"127.0.0.1:{port}"},
        )
        removed, leaving, coming = "host-1001", "host-1003", "host-1002"
        for host in twin.hosts():
            hurry(twin, host)
        for host in (removed, leaving):
            twin.change_host(host, **THIRSTY)
        with BridgeProcess(text, tmp_path) as bridge:

            def known():
                return {host["host"] for host in bridge.status(port)["hosts"]}

            def is_fed(host):
                return twin.hosts()[host]["level_bytes"] > FED_BYTES

            wait_until(lambda: all(map(is_fed, (removed, leaving))))
            assert known() == {"host-1001", "host-1003", "host-1005", "host-1007"}
            twin.remove_host(removed)
            wait_until(lambda: any(it.endswith(" 404") for it in twin.state()["counts"]["answers"]))
            time.sleep(3.0)  # it is asked about ever less, and nobody else has to suffer for it
            twin.change_host(leaving, cluster="cluster-02", **THIRSTY)
            twin.change_host(coming, cluster="cluster-01", **THIRSTY)
            new = twin.add_host("cluster-01", **THIRSTY)
            hurry(twin, new)
            bridge.reload(text)  # or the inventory would be looked at within a minute
            wait_until(lambda: known() == {new, coming, "host-1005", "host-1007"})
            forgotten_at = time.time() + 1.0  # but for what was under way
            wait_until(lambda: is_fed(new) and is_fed(coming))
            gone = twin.hosts()[leaving]
            twin.change_host(new, connection_state="DISCONNECTED")
            wait_until(
                lambda: [it for it in bridge.status(port)["hosts"] if it["state"] == "unreachable"]
            )
            twin.change_host(new, connection_state="CONNECTED", level_bytes=150_000)
            wait_until(lambda: is_fed(new))
            time.sleep(2.0)
            later = twin.hosts()[leaving]
            assert not [it for it in bridge.events() if it["level"] == "error"]
            assert bridge.status(port)["vcenters"][0]["in_flight_limit"] >= 8
            assert bridge.stop() == 0
            assert all(account["closes"] for account in bridge.events("account"))
    assert (gone["additions"], gone["reads"]) == (later["additions"], later["reads"])
    assert not asked(record, leaving, forgotten_at)
    assert not asked(record, removed, forgotten_at)
    missed = [it for it in Recording(record).entries if it.status == 404]
    assert {it.host for it in missed} == {removed}
    assert len(missed) <= 10
    fed = {it.host for it in Recording(record).additions()}
    assert {removed, leaving, coming, new} <= fed
    assert not fed & {"host-1004", "host-1006", "host-1008"}
