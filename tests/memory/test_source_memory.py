"""What stands in a source's memory, and where: the PIN nowhere, entropy in protected areas only."""

import binascii
import os

import pytest

from bridge.config import HsmConfig
from bridge.source.account import Fate
from bridge.source.supervisor import Source
from tests.memory.conftest import with_pin
from tests.source.conftest import QUICK, Lines, idle, running, until
from tests.support.blocks import find
from tests.support.process_memory import areas, counter_blocks, occurrences, text_blocks
from tests.support.testtoken import Mode

PROTECTED = {"lo", "dd", "dc"}  # locked; left out of dumps; not inherited by a fork
RING = "/memfd:entropy-bridge-ring (deleted)"
CKR_FUNCTION_FAILED = 0x6
STATE_BLOCKS = 4  # of each reader's output tests: the last block, and a call's first


def make(**table):
    return Source(HsmConfig(name="test", sessions=2, **table), timing=QUICK, log=Lines())


@pytest.fixture
def source(token):
    return make(module=token.module, env=token.environment)


async def test_entropy_is_in_protected_memory_only(source, token):
    async with running(source):
        await idle(source, token)
        raw = counter_blocks(source.status().pid)
        text = text_blocks(source.status().pid)
    assert {area.name for area in text} == {RING}
    assert sum(map(len, text.values())) > 90_000
    assert all(area.flags >= PROTECTED for area in (*raw, *text))
    assert sum(map(len, raw.values())) <= 2 * STATE_BLOCKS


async def test_what_was_delivered_is_gone(source, token):
    async with running(source):
        await idle(source, token)
        take = source.supply.take(600_000)
        take.spend()
        _, delivered = find(binascii.a2b_base64(b"".join(take.pieces)))
        before = set().union(*text_blocks(source.status().pid).values())
        assert before >= set(delivered.tolist())
        take.done(Fate.DELIVERED)
        await idle(source, token)
        # The part-read slot is still the feeder's: its sent part goes with the rest of it.
        rest = source.supply.take(12_288)
        rest.spend()
        rest.done(Fate.DELIVERED)
        after = set().union(*text_blocks(source.status().pid).values())
        raw = set().union(*counter_blocks(source.status().pid).values())
    assert len(after) > 50_000
    assert not after & set(delivered.tolist())
    assert len(raw) <= 2 * STATE_BLOCKS


def _half_written(token):
    token.behave(Mode.WRITES_HALF, calls=1)


def _failing(token):
    token.answer(CKR_FUNCTION_FAILED, calls=1)


@pytest.mark.parametrize("fault", [_half_written, _failing])
async def test_what_failed_is_gone(source, token, fault):
    async with running(source):
        await idle(source, token)
        fault(token)
        source.supply.take(600_000).done(Fate.DELIVERED)
        await until(lambda: source.supply.account().failed or source._ring.observe().errors)
        await idle(source, token)
        raw = counter_blocks(source.status().pid)
    assert all(area.flags >= PROTECTED for area in raw)
    assert sum(map(len, raw.values())) <= 2 * STATE_BLOCKS


async def test_the_ring_is_locked_and_undumped_on_both_sides(source, token):
    async with running(source):
        await until(lambda: source.is_running)
        pid = source.status().pid
        for process in (pid, os.getpid()):
            rings = [area for area in areas(process) if area.name == RING]
            assert rings
            assert all(area.flags >= PROTECTED for area in rings)


async def test_the_pin_is_gone_after_the_login(tmp_path):
    pin, table = with_pin(tmp_path)
    source = make(**table)
    async with running(source):
        await until(lambda: source.supply.available_bytes > 100_000)
        assert not occurrences(source.status().pid, pin.encode())
        assert not occurrences(source.status().pid, pin.encode("utf-16-le"))
    assert occurrences(os.getpid(), pin.encode())  # here it is found
