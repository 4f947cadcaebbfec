"""A payload that a copy of the machine could have is not used."""

import pytest

from bridge.config import HsmConfig
from bridge.kickstart.payload import draw_payload
from bridge.source.oneshot import opened
from bridge.source.supervisor import Source
from tests.support.counting import Ledger


@pytest.fixture
def config(token):
    return HsmConfig(name="test", module=token.module, env=token.environment)


async def test_it_is_as_long_as_asked_and_told(config):
    told = []
    async with opened(config) as supply:
        payload = await draw_payload(supply, 100_001, told.append)
    assert len(payload) == sum(told) == 100_001
    assert isinstance(payload, bytearray)
    ledger = Ledger()
    ledger.add("host", bytes(payload))
    assert ledger.verify().n_bytes == 100_001


async def test_a_suspend_in_between_begins_it_anew(config, monkeypatch):
    suspended = []
    told = []
    monkeypatch.setattr(Source, "__init__", _with(suspended))

    def drawn(n_bytes):
        told.append(n_bytes)
        if len(told) == 2:
            suspended.append(True)

    async with opened(config) as supply:
        payload = await draw_payload(supply, 300_000, drawn)
    assert -300_000 in told
    assert sum(told) == 300_000
    rejected = sum(told[: told.index(-300_000)])
    assert rejected == 300_000
    ledger = Ledger()
    ledger.add("host", bytes(payload))
    proof = ledger.verify()
    assert proof.last_counter * 16 > 2 * 300_000  # none of the first blocks
    assert proof.n_bytes == 300_000


def _with(suspended):
    init = Source.__init__

    def patched(self, *arguments, **settings):
        init(self, *arguments, suspended=lambda: bool(suspended and suspended.pop()), **settings)

    return patched
