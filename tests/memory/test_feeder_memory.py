"""What stands in the memory of a bridge that feeds over TLS: entropy in the ring only."""

import psutil

from tests.memory.conftest import feeding
from tests.support.process_memory import counter_blocks, text_blocks

RING = "/memfd:entropy-bridge-ring (deleted)"


def test_entropy_is_in_the_ring_only(token, tmp_path):
    with feeding(token, tmp_path) as bridge:
        feeder = bridge.process.pid
        text, raw = text_blocks(feeder), counter_blocks(feeder)
        [source] = psutil.Process(feeder).children()
        elsewhere = text_blocks(source.pid)
        assert bridge.stop() == 0
    assert not raw
    assert {area.name for area in text} == {RING}
    assert {area.name for area in elsewhere} == {RING}
    assert all(area.flags >= {"lo", "dd", "dc"} for area in text)
