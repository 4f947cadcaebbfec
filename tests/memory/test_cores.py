"""The cores of source and feeder: none; and with that refusal switched off, one without secrets."""

import asyncio

import psutil
import pytest

from bridge.config import HsmConfig
from bridge.source.account import Fate
from bridge.source.supervisor import Source
from tests.memory.conftest import feeding, with_pin
from tests.source.conftest import QUICK, Lines, idle, running, until
from tests.support.core import core_of, dumpable
from tests.support.process_memory import raw_counters, text_counters

# What a thread may have in its registers when it is caught at work.
REGISTER_BLOCKS = 64


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    """Where sources die, and leave their cores."""
    directory = tmp_path / "cores"
    directory.mkdir()
    monkeypatch.chdir(directory)


def _source(table):
    return Source(HsmConfig(name="test", sessions=2, **table), timing=QUICK, log=Lines())


def _on_token(token, environment):
    return _source({"module": token.module, "env": token.environment | environment})


async def _core_of_an_idle_source(token, environment):
    source = _on_token(token, environment)
    async with running(source):
        await idle(source, token)
        return core_of(source.status().pid)


async def test_a_source_leaves_no_core(token):
    assert await _core_of_an_idle_source(token, {}) is None


async def test_the_core_of_a_source_holds_no_entropy(token):
    core = await _core_of_an_idle_source(token, dumpable())
    assert not raw_counters(core.memory)
    assert not text_counters(core.memory)
    assert not raw_counters(core.notes)


async def test_without_the_advice_to_the_kernel_it_would(token):
    core = await _core_of_an_idle_source(token, dumpable(all_memory=True))
    assert raw_counters(core.memory)
    assert len(text_counters(core.memory)) > 90_000


async def test_the_core_of_a_source_at_work_has_some_in_registers_at_most(token):
    source = _on_token(token, dumpable())
    async with running(source):
        await until(lambda: source.supply.available_bytes > 1_000_000)
        dying = asyncio.create_task(asyncio.to_thread(core_of, source.status().pid))
        while not dying.done():
            if (take := source.supply.take(60_000)) is not None:
                take.done(Fate.DELIVERED)
            await asyncio.sleep(0)
    core = dying.result()
    assert not raw_counters(core.memory)
    assert not text_counters(core.memory)
    assert len(raw_counters(core.notes)) <= REGISTER_BLOCKS


def test_the_core_of_a_feeder_holds_no_entropy(token, tmp_path):
    with feeding(token, tmp_path, dumpable()) as bridge:
        assert len(psutil.Process(bridge.process.pid).children()) == 1
        core = core_of(bridge.process.pid)
    assert not raw_counters(core.memory)
    assert not text_counters(core.memory)


async def test_the_core_of_a_source_that_has_logged_in_holds_no_pin(tmp_path):
    pin, table = with_pin(tmp_path)
    source = _source({**table, "env": table["env"] | dumpable()})
    async with running(source):
        await until(lambda: source.supply.available_bytes > 100_000)
        core = core_of(source.status().pid)
    for encoding in ("ascii", "utf-16-le", "utf-32-le"):
        assert pin.encode(encoding) not in core.memory + core.notes
    # No half of it either, as an allocator that wrote over the start of a block would leave it.
    assert pin[12:].encode() not in core.memory + core.notes
