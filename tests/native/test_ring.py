"""The ring as Python sees it, over a source with the soft token."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from bridge.native import softtoken_path
from bridge.native.errors import Err, NativeError
from bridge.native.ring import READERS_MAX, SLOT_RAW_BYTES, SLOT_TEXT_BYTES, Phase, Ring
from tests.support.native_source import RingAndSource


def test_a_new_ring_is_empty():
    with Ring.create(8, 2, allow_unlocked=True) as ring:
        assert ring.pop() == []
        assert ring.arm() is False
        view = ring.observe()
        assert view.phase is Phase.EMPTY
        assert view.generation == 1
        assert view.fault is None
        assert len(view.readers) == 2
        assert set(view.failures.values()) == {0}
        assert SLOT_RAW_BYTES * 4 == SLOT_TEXT_BYTES * 3


@pytest.mark.parametrize(("n_slots", "n_readers"), [(0, 1), (1, 2), (8, 0), (99, READERS_MAX + 1)])
def test_an_impossible_ring_is_refused(n_slots, n_readers):
    with pytest.raises(NativeError) as caught:
        Ring.create(n_slots, n_readers)
    assert caught.value.err is Err.ERR_ARGUMENT


def _descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_nothing_is_left_open_and_nothing_is_inherited():
    before = _descriptors()
    ring = Ring.create(8, 3, allow_unlocked=True)
    for fd in (ring.fd, ring.data_eventfd, *ring.space_eventfds):
        assert os.get_inheritable(fd) is False
        assert os.get_blocking(fd) is (fd == ring.fd)
    ring.close()
    ring.close()
    assert _descriptors() == before


def test_a_closed_ring_is_not_used():
    ring = Ring.create(8, 1, allow_unlocked=True)
    ring.close()
    for use in (ring.pop, ring.arm, ring.observe, ring.restart):
        with pytest.raises(ValueError, match="closed"):
            use()
    with pytest.raises(ValueError, match="no such piece"):
        ring.piece(0, 0, 4)


def test_the_file_cannot_shrink():
    with Ring.create(8, 1, allow_unlocked=True) as ring, pytest.raises(PermissionError):
        os.ftruncate(ring.fd, 0)


def test_pieces_concatenate_to_the_slot_and_cannot_be_written():
    with RingAndSource().run(softtoken_path()) as both:
        both.read_until(lambda: both.view().published_bytes > both.view().popped_bytes)
        (slot, text_bytes), *_ = both.ring.pop()
        whole = bytes(both.ring.piece(slot, 0, text_bytes)[0])
        parts = [
            both.ring.piece(slot, at, min(at + 1000, text_bytes))[0]
            for at in range(0, text_bytes, 1000)
        ]
        assert b"".join(parts) == whole
        assert len(set(whole)) > 32
        with pytest.raises(TypeError):
            parts[0][0] = 0
        del parts
        both.ring.release(slot)
        assert bytes(both.ring.piece(slot, 0, text_bytes)[0]) != whole
        with pytest.raises(ValueError, match="not held"):
            both.ring.release(slot)


@pytest.mark.parametrize(
    ("slot", "start", "stop"), [(8, 0, 4), (-1, 0, 4), (0, -4, 4), (0, 8, 4), (6, 0, 2 * 16384 + 4)]
)
def test_a_piece_beyond_the_slots_is_refused(slot, start, stop):
    with (
        Ring.create(8, 1, allow_unlocked=True) as ring,
        pytest.raises(ValueError, match="no such piece"),
    ):
        ring.piece(slot, start, stop)


def test_a_piece_may_reach_into_the_slots_that_follow():
    with RingAndSource().run(softtoken_path()) as both:
        both.read_until(lambda: both.view().published_bytes > both.view().popped_bytes + 50_000)
        both.source.close(1000)
        whole, _ = both.ring.piece(0, 0, both.ring.n_slots * 16384)
        parts = [both.ring.piece(slot, 0, 16384)[0] for slot in range(both.ring.n_slots)]
        assert any(whole)
        assert b"".join(parts) == whole


def test_a_piece_dies_with_the_last_view_of_it():
    with Ring.create(8, 1, allow_unlocked=True) as ring:
        view, owner = ring.piece(0, 0, 100)
        other_view, other_owner = ring.piece(0, 0, 100)
        watch, other_watch = weakref.ref(owner), weakref.ref(other_owner)
        del owner, other_owner
        part = view[10:20]
        del view
        assert watch() is not None
        del part
        assert watch() is None
        assert other_watch() is not None
        del other_view
        assert other_watch() is None


def test_a_piece_in_a_cycle_is_collected():
    with Ring.create(8, 1, allow_unlocked=True) as ring:
        view, owner = ring.piece(0, 0, 100)
        watch = weakref.ref(owner)
        cycle: list[object] = [view, owner]
        cycle.append(cycle)
        del view, owner, cycle
        gc.collect()
        assert watch() is None


def test_a_view_outlives_its_ring_and_reads_nothing():
    with RingAndSource().run(softtoken_path()) as both:
        both.read_until(lambda: both.view().published_bytes > both.view().popped_bytes)
        slot, text_bytes = both.ring.pop()[0]
        view, _ = both.ring.piece(slot, 0, text_bytes)
        assert any(view)
    assert not any(view)  # mapped, and wiped


def test_restart_keeps_held_slots_and_begins_anew():
    with RingAndSource(n_slots=8, n_readers=2).run(softtoken_path()) as first:
        first.read_until(lambda: first.view().published_bytes > 6 * SLOT_RAW_BYTES)
        first.source.close(1000)
        (held, _), *others = first.ring.pop()
        for slot, _ in others:
            first.ring.release(slot)
        content = bytes(first.ring.piece(held, 0, 64)[0])
        first.ring.restart()
        view = first.view()
        assert view.generation == 2
        assert view.phase is Phase.EMPTY
        assert view.generated_bytes == view.popped_bytes == 0
        assert bytes(first.ring.piece(held, 0, 64)[0]) == content
        second = RingAndSource(n_slots=8, n_readers=2, ring=first.ring)
        second.run(softtoken_path())
        second.read(300_000)
        second.ring.release(held)
        second.read(300_000)
        assert second.view().refused_entries == 0
        second.source.close(1000)


def test_memory_that_cannot_be_locked_is_an_error_unless_allowed():
    script = (
        "import os, resource\n"
        "from bridge.native.errors import Err, NativeError\n"
        "from bridge.native.ring import Ring\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "if os.getuid() == 0: os.setresuid(65534, 65534, 65534)\n"  # gives up CAP_IPC_LOCK
        "try: Ring.create(64, 1)\n"
        "except NativeError as error: assert error.err is Err.ERR_LOCK, error; print(error)\n"
        "Ring.create(64, 1, allow_unlocked=True).close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "RLIMIT_MEMLOCK" in done.stdout
