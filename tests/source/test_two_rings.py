"""A ring whose source cannot be reaped is abandoned: what is in it goes out, and then it closes."""

import asyncio

from bridge.native import softtoken_path
from bridge.source.account import Fate
from bridge.source.consumer import Supply
from tests.source.conftest import until
from tests.support.native_source import RingAndSource

N_SLOTS = 16


def _text(take):
    return b"".join(take.pieces)


async def _filled(supply, both):
    """Let a source fill the ring and end."""
    there = supply.available_bytes
    supply.attach(both.ring, asyncio.get_running_loop())
    supply.begin_generation()
    both.run(softtoken_path())
    await until(lambda: supply.held_slots == N_SLOTS)
    both.source.close(10_000)
    supply.end_generation()
    return supply.available_bytes - there


async def test_what_is_in_an_abandoned_ring_goes_first_and_by_itself():
    supply = Supply()
    old, new = RingAndSource(n_slots=N_SLOTS), RingAndSource(n_slots=N_SLOTS)
    n_old = await _filled(supply, old)
    supply.detach()
    n_new = await _filled(supply, new)
    first = supply.take(3000)
    rest = supply.take(n_old + n_new)  # as much as there is in the first of the rings
    assert rest.raw_bytes == n_old - 3000
    text = _text(first), _text(rest)
    rest.give_back()
    first.give_back()
    again = supply.take(n_old)
    assert _text(again) == b"".join(text)
    again.spend()
    again.done(Fate.DELIVERED)
    assert _is_closed(old.ring)
    assert not _is_closed(new.ring)
    last = supply.take(n_new + 3)
    assert last.raw_bytes == n_new
    assert supply.take(3) is None
    last.done(Fate.UNKNOWN)
    assert supply.account().published == n_old + n_new
    supply.detach()
    assert _is_closed(new.ring)


async def test_purging_closes_an_abandoned_ring():
    supply = Supply()
    old = RingAndSource(n_slots=N_SLOTS)
    n_old = await _filled(supply, old)
    held = supply.take(6000)
    supply.detach()
    supply.purge()
    assert supply.account().purged == n_old - 6000
    assert not _is_closed(old.ring)
    held.give_back()
    assert supply.account().purged == n_old
    assert _is_closed(old.ring)


def _is_closed(ring):
    try:
        ring.pop()
    except ValueError:
        return True
    return False
