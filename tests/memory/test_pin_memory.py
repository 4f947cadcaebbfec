"""The PIN is wiped however the login ends."""

import os
import secrets
import subprocess
import sys

import pytest

from bridge.source.process import child_environment
from tests.support.process_memory import occurrences
from tests.support.testtoken import ROOT

FINAL_TRY = 0x20000
CKR_DEVICE_ERROR = 0x30
CKR_USER_ALREADY_LOGGED_IN = 0x100

LOGS_IN = """
import sys
from bridge.native.errors import NativeError
from tests.support.native_source import RingAndSource
both = RingAndSource()
both.source.load(sys.argv[1])
try:
    both.source.login(0, sys.argv[2])
    print("logged in", flush=True)
except NativeError as error:
    print(error, flush=True)
sys.stdin.read()
"""


def _wrong(token):
    """Leave the token as it is: the PIN is not its."""


def _final_try(token):
    token.flags = FINAL_TRY


def _broken(token):
    token.login_ckr = CKR_DEVICE_ERROR


def _already(token):
    token.login_ckr = CKR_USER_ALREADY_LOGGED_IN


@pytest.mark.parametrize(
    ("state", "repeats", "answer"),
    [
        (_already, 1, "logged in"),
        (_wrong, 1, "CKR_PIN_INCORRECT"),
        (_broken, 1, "CKR_DEVICE_ERROR"),
        (_final_try, 1, "no login was made"),
        (_wrong, 100, "too long for a PIN"),
    ],
)
def test_it_is_nowhere(token, tmp_path, state, repeats, answer):
    state(token)
    pin = secrets.token_hex(12)
    path = tmp_path / "pin"
    path.write_text(pin * repeats + "\n")
    child = subprocess.Popen(
        [sys.executable, "-c", LOGS_IN, str(token.module), str(path)],
        cwd=ROOT,
        env=child_environment(token.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert answer in child.stdout.readline()
        found = occurrences(child.pid, pin.encode())
        child.stdin.close()
    assert not found
    assert occurrences(os.getpid(), pin.encode())  # here it is found
