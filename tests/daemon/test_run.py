"""`run` as a service: fed from SoftHSM2, through trouble on either side, to a clean end."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import psutil
import pytest

from tests.daemon.conftest import configuration, vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.testtoken import Mode
from tests.support.twin import TwinProcess


def levels(twin):
    return [pool["level_bytes"] for pool in twin.hosts().values()]


def received(twin):
    return sum(pool["received_bytes"] for pool in twin.hosts().values())


def not_ready(port):
    """What /readyz gives as the reason."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10)
    with caught.value as reply:
        assert reply.code == 503
        return reply.read().decode()


def is_fed(twin):
    return min(levels(twin)) > 450_000


def test_softhsm_feeds_every_host_and_run_ends_cleanly(softhsm_table, twin, tmp_path, port):
    with BridgeProcess(configuration(softhsm_table, twin, port), tmp_path) as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: is_fed(twin))
        [source] = bridge.status(port)["sources"]
        assert source["state"] == "running"
        assert source["is_soft_token"] is False
        wait_until(lambda: all(row["cluster"] for row in bridge.status(port)["hosts"]))
        children = psutil.Process(bridge.process.pid).children()
        assert len(children) == 1
        assert bridge.stop() == 0
        assert not psutil.pid_exists(children[0].pid)
        [account] = bridge.events("account")
        assert account["closes"] is True
        assert account["delivered"] > 0
    assert twin.state()["sessions"]["alive"] == 0


def test_a_pin_that_others_may_read_is_warned_of(softhsm_table, twin, tmp_path):
    pin = softhsm_table["pin_file"]
    pin.chmod(0o644)
    warning = f"hsm.one.pin_file: other users may open {pin}; run chmod 600 on it"
    text = configuration(softhsm_table, twin)
    with BridgeProcess(text, tmp_path) as bridge:
        wait_until(lambda: bridge.events("ready"))
        assert [event["level"] for event in bridge.events(warning)] == ["warning"]
        pin.chmod(0o600)
        bridge.reload(text)
        assert len(bridge.events(warning)) == 1
        pin.chmod(0o644)
        bridge.reload(text)
        assert len(bridge.events(warning)) == 2
        assert bridge.stop() == 0


def test_a_log_that_nobody_takes_holds_up_nothing(softhsm_table, twin, tmp_path, port):
    path = tmp_path / "bridge.toml"
    path.write_text(configuration(softhsm_table, twin, port))
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    before = received(twin)
    bridge = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "run", "--config", path], stderr=write
    )
    try:
        wait_until(lambda: received(twin) > before)
        bridge.terminate()
        assert bridge.wait(60) == 0
    finally:
        bridge.kill()
        bridge.wait()
        os.close(write)
        os.close(read)


def test_probes_and_metrics(softhsm_table, twin, tmp_path, port):
    with BridgeProcess(configuration(softhsm_table, twin, port), tmp_path) as bridge:
        wait_until(lambda: bridge.events("ready"))

        def get(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as reply:
                return reply.read().decode()

        assert get("livez") == "live\n"
        assert get("readyz") == "ready\n"
        wait_until(lambda: 'bytes_total{fate="delivered",hsm="one"}' in get("metrics"))
        assert "entropy_bridge_host_seconds_to_empty{" in get("metrics")
        assert bridge.stop() == 0


def test_hosts_are_fed_from_the_reserve_while_a_crashed_source_is_replaced(
    test_token_table, token, twin, tmp_path, port
):
    with BridgeProcess(configuration(test_token_table, twin, port), tmp_path) as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: is_fed(twin))
        # what is in the ring stays there, and every new process crashes in its first call
        wait_until(lambda: bridge.status(port)["sources"][0]["reserve_available_bytes"] > 1_000_000)
        token.behave(Mode.CRASHES)
        for child in psutil.Process(bridge.process.pid).children():
            child.kill()
        first, *others = twin.hosts()
        # one makes no call as long as the ring is full
        twin.admin("POST", f"hosts/{first}", {"level_bytes": 300_000})
        wait_until(
            lambda: any("SIGSEGV" in ended["reason"] for ended in bridge.events("source ended")), 60
        )
        before = received(twin)
        for host in others:
            twin.admin("POST", f"hosts/{host}", {"level_bytes": 300_000})
        # the source is down, and what is in the ring goes out all the same
        wait_until(lambda: received(twin) > before, 40)
        assert bridge.status(port)["sources"][0]["state"] != "running"
        token.behave(Mode.NORMAL)
        wait_until(lambda: is_fed(twin), 60)
        assert bridge.status(port)["sources"][0]["restarts"] >= 1
        assert bridge.stop() == 0
        [account] = bridge.events("account")
        assert account["closes"] is True


def test_a_vcenter_that_is_away_is_waited_for_without_end(test_token_table, twin, tmp_path, port):
    table = vcenter_table(twin, url="https://127.0.0.1:1")
    status = {"listen": f"127.0.0.1:{port}"}
    text = document(hsm_one=test_token_table, vcenter_away=table, status=status)
    with BridgeProcess(text, tmp_path) as bridge:
        # ready all the same: systemd must not restart what will be needed when vCenter returns
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: bridge.events("vCenter cannot be used"))
        time.sleep(3.0)
        assert len(bridge.events("vCenter cannot be used")) == 1
        assert bridge.process.poll() is None
        assert bridge.stop() == 0


def test_an_absent_token_is_waited_for(test_token_table, token, twin, tmp_path, port):
    token.behave(Mode.ABSENT)
    with BridgeProcess(configuration(test_token_table, twin, port), tmp_path) as bridge:
        wait_until(lambda: bridge.events("vCenter is up"))
        wait_until(lambda: "testtoken" in not_ready(port))
        token.behave(Mode.NORMAL)
        wait_until(lambda: bridge.events("ready"))
        assert bridge.stop() == 0


def test_a_lost_feeder_leaves_no_source_behind(test_token_table, twin, tmp_path):
    with BridgeProcess(configuration(test_token_table, twin), tmp_path) as bridge:
        wait_until(lambda: bridge.events("ready"))
        [child] = psutil.Process(bridge.process.pid).children()
        bridge.process.kill()
        bridge.process.wait()
        wait_until(lambda: not psutil.pid_exists(child.pid), 20)


@pytest.mark.parametrize(
    "way",
    [
        ("status", "DISABLED", "ENABLED", "disabled"),
        ("connection_state", "DISCONNECTED", "CONNECTED", "unreachable"),
    ],
    ids=lambda way: way[3],
)
def test_a_host_that_is_away_is_followed_and_fed_when_it_is_back(
    test_token_table, tmp_path, port, way
):
    what, away, back, state = way
    with TwinProcess("--hosts", 2, "--initial-level", 0.5) as twin:
        host, *_ = twin.hosts()
        twin.change_host(host, **{what: away})
        with BridgeProcess(configuration(test_token_table, twin, port), tmp_path) as bridge:

            def shown():
                return {row["host"]: row["state"] for row in bridge.status(port)["hosts"]}

            wait_until(lambda: bridge.events("ready"))
            wait_until(lambda: shown().get(host) == state)
            wait_until(lambda: max(levels(twin)) > 450_000)
            assert twin.hosts()[host]["received_bytes"] == 0
            twin.change_host(host, **{what: back})
            wait_until(lambda: shown()[host] == "fed")
            wait_until(lambda: twin.hosts()[host]["received_bytes"] > 0)
            assert bridge.stop() == 0


def test_one_vcenter_that_refuses_does_not_stop_the_other(test_token_table, twin, tmp_path, port):
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password")
    text = document(
        hsm_one=test_token_table,
        vcenter_twin=vcenter_table(twin),
        vcenter_other=vcenter_table(twin, password_file=wrong),
        status={"listen": f"127.0.0.1:{port}"},
    )
    with BridgeProcess(text, tmp_path) as bridge:
        for host in twin.hosts():
            twin.admin("POST", f"hosts/{host}", {"level_bytes": 100_000})
        wait_until(lambda: is_fed(twin))
        time.sleep(1.0)
        assert bridge.process.poll() is None
        states = {row["name"]: row for row in bridge.status(port)["vcenters"]}
        assert states["twin"]["is_connected"] is True
        assert states["other"]["is_connected"] is False
        assert bridge.stop() == 0
