"""The feeder's side of a ring whose producer, a process of its own, keeps no rule."""

import asyncio
import random
from itertools import pairwise

import numpy as np
import pytest

from bridge.native import softtoken_path
from bridge.native.ring import SLOT_RAW_BYTES, SLOT_TEXT_BYTES, Ring
from bridge.source.account import Fate
from bridge.source.supply import Supply
from tests.source.conftest import running, until
from tests.support.hostile import HostileProducer
from tests.support.native_source import RingAndSource
from tests.support.testtoken import Mode

N_SLOTS = 11
SCRIBBLE_WORDS = 50_000
TAKES_LEAST = 100


@pytest.fixture
def ring():
    with Ring.create(N_SLOTS, 1, allow_unlocked=True) as ring:
        yield ring


@pytest.fixture
async def supply(ring):
    supply = Supply()
    supply.attach(ring, asyncio.get_running_loop())
    supply.begin_generation()
    yield supply
    supply.purge()
    supply.end_generation()
    supply.detach()


@pytest.fixture
def producer(ring):
    with HostileProducer(ring) as producer:
        yield producer


def _places(take):
    """The addresses that a take's pieces cover."""
    for piece in take.pieces:
        address = np.frombuffer(piece, np.uint8).ctypes.data
        yield address, address + len(piece)


async def test_it_cannot_change_the_size_of_the_file(ring, supply, producer):
    assert producer.order("resize") == "EPERM EPERM EPERM EPERM"
    producer.order("write", 0, "A")
    producer.order("publish", 0, SLOT_TEXT_BYTES)
    assert bytes(supply.take(SLOT_RAW_BYTES).pieces[0]) == b"A" * SLOT_TEXT_BYTES
    assert len(ring.map[:]) == len(ring.map)


async def test_a_slot_that_is_published_twice_is_had_once(ring, supply, producer):
    for slot in (3, 3, 5, 3):
        producer.order("write", slot, "ABCDEF"[slot])
        producer.order("publish", slot, SLOT_TEXT_BYTES)
    take = supply.take(10**6)
    assert [bytes(piece[:1]) for piece in take.pieces] == [b"D", b"F"]
    take.spend()
    producer.order("publish", 3, SLOT_TEXT_BYTES)  # while it is on its way
    assert supply.take(10**6) is None
    assert ring.observe().refused_entries == 3
    take.done(Fate.DELIVERED)
    producer.order("publish", 3, SLOT_TEXT_BYTES)  # and once more when it is free again
    again = supply.take(10**6)
    assert set(b"".join(again.pieces)) == {0}  # what was sent is wiped
    again.give_back()


@pytest.mark.parametrize(
    ("slot", "text_bytes"),
    [(11, 16384), (2**32 - 1, 16384), (0, 0), (0, 5), (0, 16388), (0, 2**32 - 4)],
)
async def test_what_is_out_of_bounds_is_not_had(ring, supply, producer, slot, text_bytes):
    producer.order("publish", slot, text_bytes)
    assert supply.take(10**6) is None
    assert ring.observe().refused_entries == 1


async def test_garbage_everywhere(ring, supply, producer):
    start = np.frombuffer(ring.map, np.uint8).ctypes.data
    choose = random.Random(3)
    takes, n_taken = [], 0
    answer = None
    while n_taken < TAKES_LEAST or not answer.done():
        if answer is None or answer.done():
            producer.begin("scribble", SCRIBBLE_WORDS)
            answer = asyncio.create_task(asyncio.to_thread(producer.end))
        if (take := supply.take(3 * choose.randrange(1, 30_000))) is not None:
            assert sum(map(len, take.pieces)) == take.text_bytes
            takes.append(take)
            n_taken += 1
        places = sorted(place for take in takes for place in _places(take))
        assert all(start <= low < high <= start + len(ring.map) for low, high in places)
        # No byte in two takes at once.
        assert all(one[1] <= next_[0] for one, next_ in pairwise(places))
        if takes and (take is None or choose.random() < 0.5):
            ended = takes.pop(choose.randrange(len(takes)))
            if choose.random() < 0.3:
                ended.give_back()
            else:
                ended.spend()
                ended.done(choose.choice(list(Fate)))
            del ended
        del take
        assert supply.account().in_flight == sum(take.raw_bytes for take in takes)
        await asyncio.sleep(0)
    for take in takes:
        take.done(Fate.UNKNOWN)


async def test_after_it_an_honest_source_finds_a_ring(ring, supply, producer):
    producer.order("scribble", SCRIBBLE_WORDS)
    supply.purge()
    supply.end_generation()
    producer.kill()
    ring.restart()
    supply.begin_generation()
    source = RingAndSource(n_slots=N_SLOTS, n_readers=1, ring=ring).run(softtoken_path())
    raw_bytes = 0
    while raw_bytes < 500_000:
        if (take := supply.take(100_000)) is None:
            await asyncio.sleep(0.001)
            continue
        assert b"\0" not in b"".join(take.pieces)
        raw_bytes += take.raw_bytes
        take.done(Fate.DELIVERED)
    assert ring.observe().refused_entries == 0
    source.source.close(10_000)


async def test_a_module_that_writes_over_the_ring_is_stopped(make, token):
    source = make(sessions=2)
    async with running(source):
        await until(lambda: source.supply.available_bytes > 500_000)
        token.behave(Mode.HOSTILE)
        n_taken = 0
        while not source.lines.reasons() or source.supply.available_bytes:
            if (take := source.supply.take(100_000)) is not None:
                assert sum(map(len, take.pieces)) == take.text_bytes
                take.done(Fate.UNKNOWN)
                n_taken += 1
            assert source.supply.account().in_flight == 0
            await asyncio.sleep(0.001)
        assert n_taken > 0
        assert source.status().pid is None
    token.behave(Mode.NORMAL)
    another = make(sessions=2)
    async with running(another):
        await until(lambda: another.is_running and another.supply.available_bytes > 500_000)
