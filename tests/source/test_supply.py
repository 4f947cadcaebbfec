"""Taking, giving back, spending, purging; and slots that wait for the last view of them."""

import asyncio
import gc
import threading
import time

import pytest

from bridge.source.account import Account, Fate
from bridge.source.supply import StaleTake, Supplies
from tests.source.conftest import DEADLINE_SECONDS, descriptors, idle, running, until
from tests.support.testtoken import Mode

SLOT = 12288


@pytest.fixture
async def full(make, token):
    """A source whose ring is full and whose module hangs from now on: nothing moves by itself."""
    source = make(reserve="256KiB")
    async with running(source):
        await idle(source, token)
        await asyncio.sleep(0.25)  # until a part-filled slot is published too
        token.behave(Mode.HANGS)
        yield source
        token.behave(Mode.NORMAL)


@pytest.fixture
def supply(full):
    assert full.supply.account().closes
    yield full.supply
    assert full.supply.account().closes


def _text(take):
    return b"".join(take.pieces)


def test_a_take_is_whole_groups(supply):
    for asked in (3, 4, 5, 1000, SLOT, SLOT + 1, 100_000):
        take = supply.take(asked)
        assert take.raw_bytes == asked // 3 * 3
        assert take.text_bytes == take.raw_bytes // 3 * 4 == len(_text(take))
        assert b"=" not in _text(take)
        assert all(piece.readonly for piece in take.pieces)
        take.give_back()


def test_less_than_a_group_is_nothing(supply):
    assert [supply.take(asked) for asked in (-3, 0, 2)] == [None, None, None]


def test_a_take_may_be_less_than_asked(supply):
    there = supply.available_bytes
    take = supply.take(there + SLOT)
    assert take.raw_bytes == there
    assert supply.take(3) is None
    take.give_back()
    assert supply.available_bytes == there


def test_takes_follow_each_other_without_gap_or_overlap(supply):
    whole = supply.take(100_002)
    text = _text(whole)
    whole.give_back()
    parts = [supply.take(n) for n in (3, 3000, 20_001, 76_998)]
    assert b"".join(_text(part) for part in parts) == text
    for part in parts:
        part.give_back()


def test_what_is_given_back_is_the_next_in_the_same_order(supply):
    first, second, third = (supply.take(n) for n in (3000, 30_000, 3000))
    texts = [_text(take) for take in (first, second, third)]
    third.give_back()
    first.give_back()
    again = supply.take(3000)
    assert _text(again) == texts[0]
    again.give_back()
    second.give_back()
    whole = supply.take(33_000)
    assert _text(whole) == texts[1] + texts[0]
    whole.give_back()


def test_giving_back_does_not_fragment(supply):
    for _ in range(50):
        supply.take(3 * 1000).give_back()
    take = supply.take(SLOT)
    assert len(take.pieces) == 1
    take.give_back()


def test_a_take_is_spent_once_and_settled_once(supply):
    take = supply.take(3000)
    take.spend()
    with pytest.raises(RuntimeError):
        take.spend()
    with pytest.raises(RuntimeError):
        take.give_back()
    take.done(Fate.DELIVERED)
    with pytest.raises(RuntimeError):
        take.done(Fate.DELIVERED)
    back = supply.take(3000)
    back.give_back()
    with pytest.raises(RuntimeError):
        back.spend()
    with pytest.raises(RuntimeError):
        back.give_back()
    assert back.pieces == ()


def test_repr_shows_no_bytes(supply):
    take = supply.take(3000)
    assert repr(take) == "<Take of 3000 bytes, taken>"
    take.give_back()


def test_the_account_knows_every_fate(supply):
    before = supply.account()
    for fate, n_bytes in ((Fate.DELIVERED, 3), (Fate.REFUSED, 6), (Fate.UNKNOWN, 9)):
        take = supply.take(n_bytes)
        take.spend()
        assert supply.account().in_flight == n_bytes
        take.done(fate)
    after = supply.account()
    assert (after.delivered, after.refused, after.unknown, after.in_flight) == (3, 6, 9, 0)
    assert after.in_ring == before.in_ring - 18
    assert after.closes


def test_a_slot_waits_for_the_last_view_of_it(supply, full):
    held = supply.held_slots
    take = supply.take(SLOT)
    piece = take.pieces[0]
    text = bytes(piece)
    part = memoryview(piece)[100:200]  # as a transport may keep it
    del piece
    take.spend()
    take.done(Fate.DELIVERED)
    gc.collect()
    assert supply.held_slots == held
    assert bytes(part) == text[100:200]
    del part
    assert supply.held_slots == held - 1
    assert text[:64] not in bytes(full._ring.map)  # wiped


def test_a_slot_waits_for_all_that_were_cut_from_it(supply):
    held = supply.held_slots
    first, second = supply.take(SLOT // 2 // 3 * 3), supply.take(SLOT // 2 // 3 * 3)
    first.done(Fate.DELIVERED)
    assert supply.held_slots == held
    second.done(Fate.UNKNOWN)
    assert supply.held_slots == held - 1


async def test_a_view_in_a_cycle_that_another_thread_collects(supply):
    held = supply.held_slots
    take = supply.take(SLOT)
    cycle = [take.pieces]
    cycle.append(cycle)
    take.done(Fate.DELIVERED)
    del cycle
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
    assert supply.held_slots == held  # not on that thread
    await until(lambda: supply.held_slots == held - 1)


async def test_a_released_slot_is_filled_again(supply, full, token):
    token.behave(Mode.NORMAL)
    there = supply.available_bytes
    supply.take(5 * SLOT).done(Fate.DELIVERED)
    await until(lambda: supply.available_bytes > there - SLOT)


def test_purging_leaves_nothing_that_is_not_spent(supply):
    there = supply.available_bytes
    spent, unspent = supply.take(3000), supply.take(6000)
    spent.spend()
    supply.purge()
    assert supply.available_bytes == 0
    assert supply.account().purged == there - 9000
    with pytest.raises(StaleTake):
        unspent.spend()
    unspent.give_back()
    assert supply.available_bytes == 0
    assert supply.account().purged == there - 3000
    spent.done(Fate.DELIVERED)
    assert supply.account().delivered == 3000
    assert supply.held_slots == 0


async def test_on_data_is_called_for_what_arrives_and_what_comes_back(supply, token):
    calls = []
    forget = supply.on_data(lambda: calls.append(supply.available_bytes))
    supply.take(3000).give_back()
    assert len(calls) == 1
    token.behave(Mode.NORMAL)
    supply.take(8 * SLOT).done(Fate.DELIVERED)
    await until(lambda: len(calls) > 1)
    forget()
    forget()
    seen = len(calls)
    supply.take(3000).give_back()
    assert len(calls) == seen


def pop_until_full(source):
    end, before = time.monotonic() + DEADLINE_SECONDS, -1
    while before < (there := source.supply.account().in_ring) or there < source.capacity_bytes // 2:
        assert time.monotonic() < end, "waited in vain"
        before = there
        time.sleep(0.5)


async def test_who_waits_is_told_of_what_somebody_else_popped(full, supply, token):
    told = []
    forget = supply.on_data(lambda: told.append(True))
    token.behave(Mode.NORMAL)
    supply.take(8 * SLOT).done(Fate.DELIVERED)
    # The loop stands still, as it does while a payload is tested, until the ring is full again:
    # from then on it wakes nobody.
    pop_until_full(full)
    assert not told
    await until(lambda: told)
    forget()


async def test_pieces_outlive_the_ring(make):
    before = descriptors()
    source = make()
    async with running(source):
        await until(lambda: source.supply.available_bytes > 100_000)
        take = source.supply.take(50_001)
        text = _text(take)
        take.spend()
    # The ring is held by what is still on its way, and nothing but it.
    assert _text(take) == text
    assert source.supply.account().closes
    take.done(Fate.DELIVERED)
    assert descriptors() == before
    assert source.supply.account().closes


async def test_a_suspended_machine_sends_nothing_from_before(make, token):
    suspended = []
    source = make(suspended=lambda: bool(suspended and suspended.pop()))
    async with running(source):
        await until(lambda: source.supply.available_bytes > 300_000)
        take = source.supply.take(3000)
        old = _text(take)
        first = source.status().pid
        suspended.append(True)
        with pytest.raises(StaleTake):
            take.spend()
        assert source.supply.available_bytes == 0
        take.give_back()
        await until(lambda: source.status().restarts == 1 and source.is_running)
        assert source.status().pid != first
        assert "the machine was suspended" in source.lines.reasons()[0]
        await until(lambda: source.supply.available_bytes > 300_000)
        assert old not in _text(source.supply.take(10**7))
    account = source.supply.account()
    assert account.closes
    assert account.generated == token.bytes_handed_out


async def test_several_supplies_are_one(make, token):
    sources = [make(), make()]
    both = Supplies([source.supply for source in sources])
    woken = asyncio.Event()
    forget = both.on_data(woken.set)
    async with running(sources[0]), running(sources[1]):
        await asyncio.wait_for(woken.wait(), 20)
        await until(lambda: both.available_bytes > 2_000_000)
        more = max(source.supply.available_bytes for source in sources)
        take = both.take(more + 30_000)
        assert take.raw_bytes == (more + 30_000) // 3 * 3
        assert len(_text(take)) == take.text_bytes
        assert all(source.supply.account().in_flight for source in sources)
        take.spend()
        take.done(Fate.DELIVERED)
        assert both.account().delivered == take.raw_bytes
        assert both.account().closes
        small = both.take(3)
        both.purge()
        with pytest.raises(StaleTake):
            small.spend()
        small.give_back()
    forget()
    assert both.take(3) is None
    assert both.account() == sum((s.supply.account() for s in sources), Account())
    assert both.account().generated == token.bytes_handed_out


async def test_a_retired_source_leaves_what_it_published_and_that_goes_first(make, token):
    sources = [make(), make()]
    both = Supplies([sources[0].supply])
    woken = []
    both.on_data(lambda: woken.append(1))
    async with running(sources[0]), running(sources[1]):
        await until(lambda: both.available_bytes > 900_000)
        await until(lambda: sources[1].supply.available_bytes > 900_000)
        n_before = len(woken)
        both.add(sources[1].supply)
        assert len(woken) > n_before
        both.use_up(sources[0].supply)
        await sources[0].retire()
        sources[0].supply.take(600_000).done(Fate.DELIVERED)
        left = sources[0].supply.available_bytes
        assert 0 < left < sources[1].supply.available_bytes
        take = both.take(left)
        assert sources[1].supply.account().in_flight == 0
        take.done(Fate.DELIVERED)
        assert sources[0].supply.available_bytes == 0
        await sources[0].stop()
        both.remove(sources[0].supply)
        assert both.available_bytes == sources[1].supply.available_bytes
    account = sources[0].supply.account()
    assert account.closes
    assert account.purged == 0
    assert account.generated + sources[1].supply.account().generated == token.bytes_handed_out
