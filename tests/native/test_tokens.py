"""Both tokens of our own: what PKCS#11 says, and the test token's faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bridge.native import softtoken_path
from tests.support import cryptoki as ck
from tests.support.counting import decode
from tests.support.testtoken import PIN, ROOT, Mode, TestToken, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

CKR_OK = ck.CKR_OK


@pytest.fixture
def module(token: TestToken) -> Iterator[ck.Cryptoki]:
    with ck.initialised(token.module) as module:
        yield module


@pytest.fixture
def soft() -> Iterator[ck.Cryptoki]:
    with ck.initialised(softtoken_path()) as module:
        yield module


def test_every_function_has_an_answer(soft: ck.Cryptoki) -> None:
    assert tuple(soft.list.version) == (2, 40)
    assert all(soft.list.functions)
    for name in ("C_InitToken", "C_WaitForSlotEvent"):
        assert soft.call(name) == ck.CKR_FUNCTION_NOT_SUPPORTED


def test_soft_token_is_random(soft: ck.Cryptoki) -> None:
    session = soft.open_session()
    seen = {soft.random(session, n) for n in (0, 16, 17, 300, 5000, 1 << 20)}
    assert len(seen) == 6
    assert sum(map(int.bit_count, soft.random(session, 1 << 16))) / (1 << 19) == pytest.approx(
        0.5, abs=0.01
    )


def test_soft_token_has_no_login(soft: ck.Cryptoki) -> None:
    assert soft.login(soft.open_session(), PIN) == ck.CKR_FUNCTION_NOT_SUPPORTED


def test_soft_token_with_python_pkcs11() -> None:
    script = f"""
import pkcs11
(slot,) = pkcs11.lib({str(softtoken_path())!r}).get_slots(token_present=True)
token = slot.get_token()
assert token.label == "entropy-bridge soft token", token.label
assert token.flags & pkcs11.TokenFlag.RNG
assert not token.flags & pkcs11.TokenFlag.LOGIN_REQUIRED
assert slot.get_mechanisms() == set()
with token.open() as session:
    assert len(session.generate_random(2048)) == 256
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_states(module: ck.Cryptoki) -> None:
    session = module.open_session()
    assert module.initialize() == ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
    assert module.call("C_GetTokenInfo", 7, None) == ck.CKR_SLOT_ID_INVALID
    assert module.call("C_CloseSession", session) == CKR_OK
    assert module.call("C_CloseSession", session) == ck.CKR_SESSION_HANDLE_INVALID
    assert module.random_into(session, bytearray(4)) == ck.CKR_SESSION_HANDLE_INVALID
    again = module.open_session()
    assert again != session  # a handle is not used twice
    assert module.call("C_Finalize", None) == CKR_OK
    assert module.random_into(again, bytearray(4)) == ck.CKR_CRYPTOKI_NOT_INITIALIZED
    assert module.initialize(flags=0) == CKR_OK
    assert module.random_into(again, bytearray(4)) == ck.CKR_SESSION_HANDLE_INVALID


def test_login(module: ck.Cryptoki, token: TestToken) -> None:
    token.login_needed = 1
    session, other = module.open_session(), module.open_session()
    assert module.random_into(session, bytearray(4)) == ck.CKR_USER_NOT_LOGGED_IN
    assert module.login(session, "654321") == ck.CKR_PIN_INCORRECT
    assert module.login(session, PIN) == CKR_OK
    assert module.login(other, PIN) == ck.CKR_USER_ALREADY_LOGGED_IN
    assert module.random_into(other, bytearray(4)) == CKR_OK
    assert token.logins == 2
    assert module.call("C_Logout", session) == CKR_OK
    assert module.random_into(other, bytearray(4)) == ck.CKR_USER_NOT_LOGGED_IN
    assert module.login(session, PIN) == CKR_OK
    module.call("C_CloseAllSessions", 0)  # the last session takes the login with it
    assert module.random_into(module.open_session(), bytearray(4)) == ck.CKR_USER_NOT_LOGGED_IN


def test_answers_a_number_of_times(module: ck.Cryptoki, token: TestToken) -> None:
    session = module.open_session()
    token.answer(ck.CKR_DEVICE_ERROR, calls=2)
    answers = [module.random_into(session, bytearray(16)) for _ in range(4)]
    assert answers == [ck.CKR_DEVICE_ERROR, ck.CKR_DEVICE_ERROR, CKR_OK, CKR_OK]
    token.answer(ck.CKR_GENERAL_ERROR)
    assert {module.random_into(session, bytearray(16)) for _ in range(9)} == {ck.CKR_GENERAL_ERROR}
    token.answer(CKR_OK)
    assert module.random_into(session, bytearray(16)) == CKR_OK
    assert token.bytes_handed_out == 48


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.WRITES_NOTHING, b"\x99" * 64),
        (Mode.ALL_EQUAL, b"\x5a" * 64),
    ],
)
def test_says_that_it_wrote(
    module: ck.Cryptoki, token: TestToken, mode: Mode, expected: bytes
) -> None:
    session = module.open_session()
    buffer = bytearray(b"\x99" * 64)
    token.behave(mode, calls=1)
    assert module.random_into(session, buffer) == CKR_OK
    assert bytes(buffer) == expected
    assert module.random_into(session, buffer) == CKR_OK
    assert decode(buffer)[0].n_blocks == 4


def test_writes_half(module: ck.Cryptoki, token: TestToken) -> None:
    token.behave(Mode.WRITES_HALF)
    buffer = bytearray(b"\x99" * 64)
    assert module.random_into(module.open_session(), buffer) == CKR_OK
    assert decode(buffer)[0].n_blocks == 2
    assert buffer[32:] == b"\x99" * 32


def test_repeats(module: ck.Cryptoki, token: TestToken) -> None:
    session = module.open_session()
    last = module.random(session, 160)[-16:]
    token.behave(Mode.REPEATS)
    assert module.random(session, 64) == last * 4
    assert module.random(session, 20) == (last * 2)[:20]


def test_hangs_until_told_otherwise(module: ck.Cryptoki, token: TestToken) -> None:
    session = module.open_session()
    token.behave(Mode.HANGS)
    thread = threading.Thread(target=module.random, args=(session, 16))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    token.behave(Mode.NORMAL)
    thread.join(10)
    assert not thread.is_alive()


def test_pulled_out_and_put_back(module: ck.Cryptoki, token: TestToken) -> None:
    token.login_needed = 1
    session = module.open_session()
    assert module.login(session, PIN) == CKR_OK
    token.behave(Mode.ABSENT)
    assert module.random_into(session, bytearray(16)) == ck.CKR_DEVICE_REMOVED
    assert module.call("C_GetTokenInfo", 0, None) == ck.CKR_TOKEN_NOT_PRESENT
    token.behave(Mode.NORMAL)
    assert module.random_into(session, bytearray(16)) == ck.CKR_SESSION_HANDLE_INVALID
    session = module.open_session()
    assert module.random_into(session, bytearray(16)) == ck.CKR_USER_NOT_LOGGED_IN
    assert module.login(session, PIN) == CKR_OK
    assert module.random_into(session, bytearray(16)) == CKR_OK


def test_limits(module: ck.Cryptoki, token: TestToken) -> None:
    session = module.open_session()
    token.length_max = 1024
    assert module.random_into(session, bytearray(1024)) == CKR_OK
    assert module.random_into(session, bytearray(1025)) == ck.CKR_ARGUMENTS_BAD
    token.no_rng = 1
    assert module.random_into(session, bytearray(16)) == ck.CKR_RANDOM_NO_RNG


def test_cannot_lock(token: TestToken) -> None:
    token.locking_ckr = ck.CKR_CANT_LOCK
    module = ck.Cryptoki(token.module)
    assert module.initialize() == ck.CKR_CANT_LOCK
    assert module.call("C_Initialize", None) == CKR_OK
    assert token.initialisations == 2
    assert module.call("C_Finalize", None) == CKR_OK


def test_pace_is_shared_and_latency_is_not(module: ck.Cryptoki, token: TestToken) -> None:
    def seconds(n_threads: int) -> float:
        sessions = [module.open_session() for _ in range(n_threads)]
        threads = [threading.Thread(target=module.random, args=(s, 1000)) for s in sessions]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    token.picoseconds_per_byte = 50_000_000  # 50 ms a call
    assert seconds(4) >= 0.2
    token.picoseconds_per_byte = 0
    token.latency_us = 400_000
    assert 0.4 <= seconds(4) < 1.5


def test_several_tokens_of_one_label(token: TestToken) -> None:
    token.slots = 3
    script = f"""
import pkcs11
slots = pkcs11.lib({str(token.module)!r}).get_slots(token_present=True)
tokens = [slot.get_token() for slot in slots]
assert {{token.label for token in tokens}} == {{"testtoken"}}
assert [token.serial for token in tokens] == [b"T0001", b"T0001B", b"T0001C"], tokens
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={**os.environ, **token.environment}
    )


SCRIPT = """
import sys
from pathlib import Path
from tests.support.cryptoki import Cryptoki
module = Cryptoki(Path(sys.argv[1]))
module.initialize()
session = module.open_session()
{call}
"""


@pytest.mark.parametrize(
    ("call", "word", "value"),
    [
        ("module.random(session, 16)", "mode", Mode.CRASHES),
        ("module.login(session, '123456')", "trouble", Trouble.LOGIN_CRASHES),
    ],
)
def test_crashes(token: TestToken, call: str, word: str, value: int) -> None:
    setattr(token, word, value)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(call=call), str(token.module)],
        check=False,
        cwd=ROOT,
        env={**os.environ, **token.environment},
    )
    assert done.returncode == -signal.SIGSEGV


def test_processes_never_share_a_block(token: TestToken) -> None:
    call = "sys.stdout.buffer.write(b''.join(module.random(session, 1024) for _ in range(50)))"
    command = [sys.executable, "-c", SCRIPT.format(call=call), str(token.module)]
    environment = {**os.environ, **token.environment}
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
        for _ in range(3)
    ]
    received = [process.communicate()[0] for process in processes]
    runs = [run for raw in received for run in decode(raw)]
    counters = sorted(
        counter for run in runs for counter in range(run.first_counter, run.next_counter)
    )
    assert counters == list(range(3 * 50 * 64))
    assert token.next_block == len(counters)
