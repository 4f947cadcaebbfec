"""A source over the test token: what comes out is what went in, fast, slow or hung."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from bridge.native.errors import NativeError
from bridge.native.ring import SLOT_RAW_BYTES, Phase
from tests.support.native_source import RingAndSource, proved_bytes
from tests.support.testtoken import Mode, TestToken

if TYPE_CHECKING:
    from bridge.native.ring import RingView

CKR_CANT_LOCK = 0x0A
GROUP_BYTES = 3


def test_bytes_come_out_as_they_went_in(token: TestToken):
    with RingAndSource(n_slots=48, n_readers=3).run(token.module) as both:
        slots = both.read(6_000_000)
        slots += both.read_to_the_end()
        view = both.view()
    n_bytes = proved_bytes(slots)
    assert n_bytes == view.popped_bytes == view.published_bytes
    assert view.generated_bytes == token.bytes_handed_out
    lost = view.generated_bytes - view.popped_bytes - view.startup_bytes
    assert 0 <= lost <= 3 * (GROUP_BYTES - 1)
    assert view.startup_bytes >= 3 * 1024
    assert view.failed_bytes == view.errors == 0
    assert view.refused_entries == 0
    assert view.fault is None


@pytest.mark.parametrize("call_bytes", [32, 1000, 4096, 12288, 65536, 1_000_000])
def test_slots_are_filled_by_calls_of_any_length(token: TestToken, call_bytes: int):
    with RingAndSource(n_slots=96, n_readers=1, call_bytes=call_bytes).run(token.module) as both:
        slots = both.read(2_500_000 if call_bytes > 1000 else 100_000)
        assert both.view().readers[0].call_bytes <= call_bytes
        slots += both.read_to_the_end()
    if call_bytes % 16 == 0:
        proved_bytes(slots)
    assert {len(slot) for slot in slots[:-1]} == {SLOT_RAW_BYTES}


@pytest.mark.parametrize(("longest", "found"), [(1024, 1024), (3136, 2048), (0, 65536), (500, 256)])
def test_the_length_of_calls_is_found(token: TestToken, longest: int, found: int):
    token.length_max = longest
    with RingAndSource(n_slots=64, n_readers=1).run(token.module) as both:
        slots = both.read_until(lambda: both.view().readers[0].call_bytes == found)
        slots += both.read(500_000)
        assert both.view().readers[0].call_bytes <= found
        assert both.view().errors <= 2
    proved_bytes(slots)


def test_a_configured_length_that_is_refused_is_halved(token: TestToken):
    token.length_max = 10_000
    with RingAndSource(n_slots=64, n_readers=1, call_bytes=65536).run(token.module) as both:
        proved_bytes(both.read(300_000))
        assert both.view().errors == 3
        assert both.view().readers[0].call_bytes == 8192


def test_a_hang_shows(token: TestToken):
    with RingAndSource(n_readers=1, call_bytes=4096).run(token.module) as both:
        both.read(100_000)
        token.behave(Mode.HANGS)
        both.read_until(lambda: both.view().published_bytes == both.view().popped_bytes)
        before = _view_after(0.3, both)
        after = _view_after(0.3, both)
        (reader,) = after.readers
        assert reader == before.readers[0]
        assert reader.calls_begun == reader.calls_ended + 1
        assert reader.active
        assert time.monotonic_ns() - reader.call_began_ns > 300_000_000
        assert after.phase is Phase.RUNNING
        token.behave(Mode.NORMAL)
        both.read(100_000)
        assert both.view().readers[0].slowest_call_ns > 300_000_000


def _view_after(seconds: float, both: RingAndSource) -> RingView:
    time.sleep(seconds)
    return both.view()


def test_each_slow_call_is_published_at_once(token: TestToken):
    token.latency_us = 250_000
    with RingAndSource(n_readers=1, call_bytes=1000).run(token.module) as both:
        sizes = [len(slot) for slot in both.read(2500)]
    assert sizes in ([999, 999, 1002], [999, 1002, 999], [1002, 999, 999])


def test_a_part_filled_slot_does_not_wait(token: TestToken):
    token.picoseconds_per_byte = 20_000_000  # 50 kB/s: a slot takes 250 ms
    with RingAndSource(n_slots=64, n_readers=1, call_bytes=1024).run(token.module) as both:
        sizes = [len(slot) for slot in both.read(40_000)]
    # As much as 200 ms bring, but for the machine's own delays.
    assert all(size <= 11 * 1024 for size in sizes)
    assert sum(sizes) / len(sizes) > 3 * 1024


def test_a_reserve_is_not_kept_in_part_filled_slots(token: TestToken):
    token.picoseconds_per_byte = 20_000_000
    with RingAndSource(n_slots=8, n_readers=1, call_bytes=1024).run(token.module) as both:
        sizes = [len(slot) for slot in both.read(60_000, release=False)]
    assert len(sizes) <= 8
    assert sizes.count(SLOT_RAW_BYTES) >= 3


def test_a_module_that_cannot_lock_gets_one_reader(token: TestToken):
    token.locking_ckr = CKR_CANT_LOCK
    with RingAndSource(n_readers=3).run(token.module) as both:
        proved_bytes(both.read(500_000))
        view = both.view()
    assert [reader.calls_begun > 0 for reader in view.readers] == [True, False, False]
    assert token.initialisations == 2


def test_who_else_initialised_the_module_is_no_owner(token: TestToken):
    with RingAndSource().run(token.module) as both:
        both.read(10_000)
        with RingAndSource() as other:
            with pytest.raises(NativeError, match="CKR_CRYPTOKI_ALREADY_INITIALIZED"):
                other.source.load(token.module)
            assert other.view().phase is Phase.STOPPED
        both.read(500_000)
