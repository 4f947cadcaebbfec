"""A module that we did not write: SoftHSM2."""

import asyncio

import pytest

from bridge.source.account import Fate
from bridge.source.errors import SourceMisconfigured, SourceRefused
from bridge.source.oneshot import opened
from bridge.source.status import SourceState
from tests.source.conftest import running, until
from tests.support.softhsm import PIN, SoftHsm


@pytest.fixture
def softhsm(tmp_path):
    softhsm = SoftHsm(tmp_path / "softhsm")
    softhsm.add_token("alpha")
    return softhsm


@pytest.fixture
def make_softhsm(make, softhsm):
    def build(**table):
        return make(module=softhsm.module, env=softhsm.environment, **table)

    return build


async def test_bytes_come_with_a_login_and_two_sessions(make_softhsm, pin_file):
    pin_file.write_text(PIN)
    source = make_softhsm(token_label="alpha", pin_file=pin_file, sessions=2)
    async with running(source):
        await until(lambda: source.is_running)
        assert source.status().token.startswith("alpha, ")
        heads = []
        drawn = 0
        while drawn < 5_000_000:
            if (take := source.supply.take(250_000)) is None:
                await asyncio.sleep(0.001)
                continue
            for piece in take.pieces:
                starts = range(0, len(piece) - 63, 16_384)
                heads += [bytes(piece[start : start + 64]) for start in starts]
            drawn += take.raw_bytes
            take.done(Fate.DELIVERED)
        assert source.supply.account().closes
    assert len(heads) >= 5_000_000 // 12_288
    assert len(set(heads)) == len(heads)
    assert source.supply.account().closes


async def test_the_only_token_needs_no_name(make_softhsm):
    source = make_softhsm()
    async with running(source):
        await until(lambda: source.is_running)
        assert source.status().token.startswith("alpha, ")


async def test_a_wrong_pin_latches(make_softhsm, pin_file, tmp_path):
    pin_file.write_text("9999")
    source = make_softhsm(token_label="alpha", pin_file=pin_file, state_dir=tmp_path)
    with pytest.raises(SourceRefused, match=r"CKR_PIN_INCORRECT \(0xA0\)"):
        await source.run()
    source.close()
    assert source.status().state is SourceState.LATCHED_PIN
    assert (tmp_path / "pin-refused.test").exists()


async def test_two_tokens_of_one_label_are_refused(make_softhsm, softhsm):
    softhsm.add_token("alpha")
    source = make_softhsm(token_label="alpha")
    with pytest.raises(SourceMisconfigured, match="2 tokens labelled 'alpha': set serial or slot"):
        await source.run()
    source.close()


async def test_one_shot(make_softhsm):
    config = make_softhsm()._config
    async with opened(config) as supply:
        assert supply.available_bytes
