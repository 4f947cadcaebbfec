"""What a module has to offer, asked in a process of its own."""

import os

import pytest

from bridge.hsm import HsmError
from bridge.native import softtoken_path
from bridge.source.inspect import inspect_module
from tests.support.softhsm import SoftHsm
from tests.support.testtoken import Trouble


def test_softhsm(tmp_path):
    softhsm = SoftHsm(tmp_path)
    softhsm.add_token("alpha")
    info = inspect_module(softhsm.module, None, os.environ | softhsm.environment, 30)
    assert info.manufacturer == "SoftHSM"
    assert info.path == str(softhsm.module)
    assert info.cryptoki_version.startswith("2.")
    first, second = info.slots
    assert first.token.label == "alpha"
    assert first.token.serial
    assert first.token.has_rng
    assert first.token.initialised
    assert "LOGIN_REQUIRED" in first.token.flags
    assert "SHA256_HMAC" in first.mechanisms
    assert not second.token.initialised


def test_the_soft_token():
    info = inspect_module(softtoken_path(), None, os.environ, 30)
    assert info.slots[0].token.label == "entropy-bridge soft token"
    assert info.slots[0].token.has_rng


def test_the_test_token_and_its_flags(token):
    token.slots = 3
    token.no_rng = 1
    info = inspect_module(token.module, None, os.environ | token.environment, 30)
    assert [slot.token.label for slot in info.slots] == ["testtoken"] * 3
    assert not info.slots[0].token.has_rng
    assert token.logins == 0


def test_what_hangs_is_given_up(token):
    token.trouble = Trouble.INITIALIZE_HANGS
    with pytest.raises(HsmError, match="no answer within 1 s"):
        inspect_module(token.module, None, os.environ | token.environment, 1)


@pytest.mark.parametrize(
    ("path", "words"),
    [("/nowhere.so", "cannot be loaded"), ("/lib/x86_64-linux-gnu/libm.so.6", "not a usable")],
)
def test_what_is_no_module_is_one_line(path, words):
    with pytest.raises(HsmError, match=words) as raised:
        inspect_module(path, None, os.environ, 30)
    assert "\n" not in str(raised.value)
