"""Every byte that a source gave is one of the module's, in one place only, whatever happened."""

import asyncio
import binascii
import os
import signal

import pytest

from bridge.source.account import Fate
from bridge.source.generation import Timing
from tests.source.conftest import running, until
from tests.support.counting import Ledger
from tests.support.testtoken import Mode

CKR_FUNCTION_FAILED = 0x6
CKR_SESSION_HANDLE_INVALID = 0xB3
TIMING = Timing(tick=0.02, call_floor=0.3, backoff_first=0.02, backoff_most=0.05)


def _hurt(source, token, how):
    match how:
        case "nothing":
            pass
        case "crash":
            token.behave(Mode.CRASHES, calls=1)
        case "kill":
            if (pid := source.status().pid) is not None:
                os.kill(pid, signal.SIGKILL)
        case "hang":
            token.behave(Mode.HANGS)
        case "not written":
            token.behave(Mode.WRITES_NOTHING, calls=1)
        case "half written":
            token.behave(Mode.WRITES_HALF, calls=1)
        case "no session":
            token.answer(CKR_SESSION_HANDLE_INVALID, calls=1)
        case "failure":
            token.answer(CKR_FUNCTION_FAILED, calls=3)
        case "gone":
            token.behave(Mode.ABSENT)


FAULTS = (
    *("nothing", "crash", "kill", "hang", "gone"),
    *("not written", "half written", "no session", "failure"),
)


@pytest.mark.parametrize("how", FAULTS)
async def test_nothing_altered_and_nothing_twice(make, token, how):
    source = make(sessions=2, timing=TIMING)
    ledger = Ledger()
    received = bytearray()
    hosts = 0
    async with running(source):
        await until(lambda: source.is_running)
        for step in range(60):
            if step % 20 == 5:
                _hurt(source, token, how)
            take = source.supply.take(3 * (1 + 7919 * step % 40_000))
            if take is None:
                await asyncio.sleep(0.02)
                continue
            if step % 3 == 0:  # as when a connection fails
                take.give_back()
                continue
            take.spend()
            received += binascii.a2b_base64(b"".join(take.pieces))
            take.done(Fate.DELIVERED)
            if step % 10 == 0:
                ledger.add(f"host-{hosts}", bytes(received))
                received.clear()
                hosts += 1
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)  # long enough to be called hung
        token.behave(Mode.NORMAL)
        await until(lambda: source.is_running and source.supply.available_bytes > 500_000)
        take = source.supply.take(500_001)
        received += binascii.a2b_base64(b"".join(take.pieces))
        take.done(Fate.DELIVERED)
        ledger.add(f"host-{hosts}", bytes(received))
    account = source.supply.account()
    proof = ledger.verify()
    assert account.closes
    assert proof.n_bytes == account.delivered > 1_000_000
    if how in {"crash", "kill", "hang", "gone"}:
        assert source.status().restarts > 0
    if how in {"not written", "half written"}:
        assert account.failed > 0
        assert source.status().test_failures["poison"] > 0
    # What dies between the module's return and the count of it is off by the calls that ran.
    slack = 3 * 65536 if how in {"crash", "kill"} else 0
    assert token.bytes_handed_out - slack <= account.generated <= token.bytes_handed_out
