"""Modules that we did not write: the same for each of them."""

import asyncio
import os
import signal

import pytest

from bridge.config import HsmConfig
from bridge.source.account import Fate
from bridge.source.inspect import inspect_module
from bridge.source.oneshot import draw, opened
from bridge.source.probe import probe_token
from bridge.source.process import child_environment
from bridge.source.status import SourceState
from tests.source.conftest import alive, running, until
from tests.support.modules import MODULES
from tests.support.softhsm import PIN

DRAWN_BYTES = 3_000_000


@pytest.fixture(scope="module", params=MODULES)
def module(request, tmp_path_factory):
    if request.param == "opencryptoki" and os.geteuid() != 0:
        pytest.skip("openCryptoki's daemon needs root: not tested with it")
    with MODULES[request.param](tmp_path_factory.mktemp(request.param)) as module:
        yield module


@pytest.fixture
def make_source(make, module):
    def build(**table):
        return make(**{"sessions": 2, **module.settings, **table})

    return build


async def _drawn(source, n_bytes=DRAWN_BYTES):
    """Draw slot by slot; gives their beginnings, of which no two are alike."""
    heads = []
    drawn = 0
    while drawn < n_bytes:
        if (take := source.supply.take(12_288)) is None:
            await asyncio.sleep(0.001)
            continue
        take.spend()
        heads += [bytes(piece[:64]) for piece in take.pieces if len(piece) >= 64]
        drawn += take.raw_bytes
        take.done(Fate.DELIVERED)
    assert len(heads) >= n_bytes // 12_288
    return heads


async def test_bytes_come_and_the_account_closes(make_source, module):
    source = make_source()
    async with running(source):
        await until(lambda: source.is_running)
        heads = await _drawn(source)
        pid = source.status().pid
        assert f"{module.model} " in f"{source.status().token} "
        assert source.supply.account().closes
    assert len(set(heads)) == len(heads)
    account = source.supply.account()
    assert account.closes
    assert account.failed == 0  # the output tests
    assert source.status().test_failures == {}
    assert source.status().restarts == 0
    assert source.status().state is SourceState.STOPPED
    assert not alive(pid)


async def test_what_dies_comes_back_with_other_bytes(make_source):
    source = make_source()
    async with running(source):
        await until(lambda: source.is_running)
        heads = await _drawn(source, 500_000)
        os.kill(source.status().pid, signal.SIGKILL)
        await until(lambda: source.status().restarts == 1 and source.is_running)
        heads += await _drawn(source)
    assert len(set(heads)) == len(heads)
    assert source.supply.account().closes


async def test_a_command_draws_from_it(make_source):
    async with opened(make_source()._config) as supply:
        raw = b"".join([piece async for piece in draw(supply, 1_000_000)])
    assert abs(sum(raw) / len(raw) - 127.5) < 1


def test_it_can_be_looked_at(make_source, module):
    config = make_source()._config
    environment = child_environment(config.env)
    info = inspect_module(config.module, config.init_args, environment, 30)
    tokens = [slot.token for slot in info.slots if slot.token is not None]
    assert any(token.has_rng and token.model == module.model for token in tokens)
    assert any("SHA256" in slot.mechanisms for slot in info.slots)


def test_it_can_be_probed(make_source, module):
    report = probe_token(make_source()._config, seconds=0.02, progress=lambda *_: None)
    assert report.model == module.model
    assert report.limit.longest_bytes == module.longest_bytes
    assert not any(call.unwritten or call.spilled for call in report.lengths)
    assert {call.length_bytes for call in report.lengths if not call.ckr} >= {1, 3, 31, 1023, 1025}
    assert {cell.sessions for cell in report.cells} == {1, 2, 4}
    assert not any(cell.ckr for cell in report.cells)


def test_a_login_through_p11_kit(tmp_path):
    pin_path = tmp_path / "pin"
    pin_path.write_text(PIN)

    async def body(config):
        async with opened(config) as supply:
            return len([raw async for raw in draw(supply, 300_000)])

    with MODULES["p11-kit"](tmp_path / "tokens") as module:
        config = HsmConfig(name="remote", pin_file=pin_path, **module.settings)
        assert asyncio.run(body(config))
