"""A vCenter whose hosts can be read and not fed takes next to nothing from those of another."""

import time

import pytest

from tests.daemon.conftest import vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.twin import TwinProcess

THIRSTY = ("--hosts", 10, "--drain-bytes-per-second", 8_000, "--initial-level", 0.6)
SECONDS = 25


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["forbidden", "error", "reset_after_body"])
def test_what_is_lost_at_one_vcenter_is_not_missing_at_the_other(
    tmp_path, port, token, test_token_table, kind
):
    token.picoseconds_per_byte = 8_000_000  # little more than the hosts of one of them use
    with TwinProcess(*THIRSTY) as bad, TwinProcess(*THIRSTY) as good:
        bad.set_faults({"kind": kind, "operations": ["pool.add"]})
        text = document(
            hsm_one=test_token_table,
            vcenter_bad=vcenter_table(bad),
            vcenter_good=vcenter_table(good),
            status={"listen": f"127.0.0.1:{port}"},
        )
        with BridgeProcess(text, tmp_path) as bridge:
            wait_until(lambda: bridge.events("ready"))
            time.sleep(SECONDS)
            hosts = bridge.status(port)["hosts"]
            shown = {host["state"] for host in hosts if host["vcenter"] == "bad"}
            levels = [it["level_bytes"] / it["capacity_bytes"] for it in good.hosts().values()]
            assert bridge.stop() == 0
            [account] = bridge.events("account")
            wait_until(lambda: bridge.events("hosts are not fed"))
    assert account["closes"]
    assert account["refused"] + account["unknown"] < account["delivered"] / 2
    assert min(levels) > 0.3  # their watermark is at 0.2, and above it they wait for others
    assert shown <= {"refused", "unreachable"}


@pytest.mark.nightly
def test_a_vcenter_that_does_not_answer_does_not_hold_what_the_other_needs(
    tmp_path, port, token, test_token_table
):
    full = ("--drain-bytes-per-second", 0, "--hosts", 40, "--initial-level", 0.8)
    with TwinProcess(*full) as hung, TwinProcess(*full) as good:
        text = document(
            hsm_one=test_token_table,
            vcenter_hung=vcenter_table(hung, request_timeout_seconds=60),
            vcenter_good=vcenter_table(good),
            status={"listen": f"127.0.0.1:{port}"},
        )

        def lowest(twin):
            return min(it["level_bytes"] / it["capacity_bytes"] for it in twin.hosts().values())

        with BridgeProcess(text, tmp_path) as bridge:
            wait_until(lambda: min(lowest(hung), lowest(good)) > 0.95)
            hung.set_faults({"kind": "stall", "operations": ["pool.add"]})
            for twin, level_bytes in ((hung, 30_000), (good, 200_000)):
                for host in twin.hosts():
                    twin.change_host(host, level_bytes=level_bytes, drain_bytes_per_second=3_000)
            wait_until(lambda: lowest(good) > 0.6, 40)
            assert bridge.stop() == 0
