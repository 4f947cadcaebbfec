"""As many hosts as a vCenter lists, looked at and fed, and what they cost the twin."""

import time

import psutil
import pytest

from bridge.native import softtoken_path
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.twin import TwinProcess

HOSTS = 2500
SECONDS = 40.0


@pytest.mark.nightly
def test_one_core_is_enough_for_2500_hosts(tmp_path):
    arguments = ["--hosts", HOSTS, "--clusters", 12, "--spread", 0.5, "--initial-level", 0.7]
    with TwinProcess(*arguments, "--drain-profile", "bursty") as twin:
        configuration = document(
            hsm_soft={"module": softtoken_path(), "allow_soft_token": True},
            vcenter_twin={
                "url": twin.url,
                "username": twin.username,
                "password_file": twin.password_file,
                "ca_file": twin.ca_file,
            },
        )
        with BridgeProcess(configuration, tmp_path) as bridge:
            wait_until(lambda: bridge.events("ready"))
            process = psutil.Process(twin.process.pid)
            before, cpu = twin.state()["counts"], process.cpu_times()
            started = time.monotonic()
            time.sleep(SECONDS)
            share = busy(process, cpu) / (time.monotonic() - started)
            state = twin.state()
            assert bridge.stop() == 0
            [account] = bridge.events("account")
    requests = state["counts"]["requests"] - before["requests"]
    print(f"{share:.0%} of a core for {requests / SECONDS:.0f} requests per second")
    assert requests > HOSTS * SECONDS / 20  # the pace of looks, whatever is fed
    assert share < 0.5
    assert max(host["seconds_since_contact"] for host in state["hosts"]) < 30
    assert not any(host["dry_count"] for host in state["hosts"])
    assert account["closes"]


def busy(process, since):
    now = process.cpu_times()
    return now.user + now.system - since.user - since.system
