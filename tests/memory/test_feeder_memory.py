"""What stands in the memory of a bridge that feeds over TLS: entropy in the ring only."""

import psutil
import pytest

from tests.memory.conftest import feeding
from tests.support.process_memory import counter_blocks, text_blocks

RING = "/memfd:entropy-bridge-ring (deleted)"


# of requests that are large, and of those that are copied into one record
@pytest.mark.parametrize("max_add_bytes", ["256KiB", "3KiB"])
def test_entropy_is_in_the_ring_only(token, tmp_path, max_add_bytes):
    with feeding(token, tmp_path, max_add_bytes=max_add_bytes) as bridge:
        feeder = bridge.process.pid
        text, raw = text_blocks(feeder), counter_blocks(feeder)
        [source] = psutil.Process(feeder).children()
        elsewhere = text_blocks(source.pid)
        assert bridge.stop() == 0
    assert not raw
    assert {area.name for area in text} == {RING}
    assert {area.name for area in elsewhere} == {RING}
    assert all(area.flags >= {"lo", "dd", "dc"} for area in text)
