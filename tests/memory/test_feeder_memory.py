"""What stands in the memory of a bridge that feeds over TLS: entropy in the ring only."""

import psutil

from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.process_memory import counter_blocks, text_blocks
from tests.support.testtoken import LABEL
from tests.support.twin import TwinProcess

RING = "/memfd:entropy-bridge-ring (deleted)"
HOSTS = 10


def test_entropy_is_in_the_ring_only(token, tmp_path):
    with TwinProcess("--hosts", HOSTS, "--initial-level", 0.1) as twin:
        configuration = document(
            hsm_test={"module": token.module, "token_label": LABEL, "env": token.environment},
            vcenter_twin={
                "url": twin.url,
                "username": twin.username,
                "password_file": twin.password_file,
                "ca_file": twin.ca_file,
            },
        )
        with BridgeProcess(configuration, tmp_path) as bridge:
            wait_until(
                lambda: sum(it["received_bytes"] for it in twin.hosts().values()) > HOSTS * 200_000
            )
            feeder = bridge.process.pid
            text, raw = text_blocks(feeder), counter_blocks(feeder)
            [source] = psutil.Process(feeder).children()
            elsewhere = text_blocks(source.pid)
            assert bridge.stop() == 0
    assert not raw
    assert {area.name for area in text} == {RING}
    assert {area.name for area in elsewhere} == {RING}
    assert all(area.flags >= {"lo", "dd", "dc"} for area in text)
