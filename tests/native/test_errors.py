"""Names and numbers that Python and C must agree on, and how failures read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.native.ckr import ckr_name
from bridge.native.errors import Err, NativeError
from bridge.native.ring import Phase

NATIVE = Path(__file__).parents[2] / "native"
HEADER = NATIVE / "include/bn.h"
CRYPTOKI = NATIVE / "src/pkcs11/cryptoki.h"


def _enumerators(name: str) -> list[str]:
    """List an enum's members in bn.h; each is one more than the one before, from 0."""
    body = re.search(rf"^enum {name} {{(.*?)^}};", HEADER.read_text(), re.DOTALL | re.MULTILINE)
    assert body is not None
    return re.findall(r"^\s+BN_(?:PHASE_)?(\w+)(?: = 0)?,", body[1], re.MULTILINE)


def test_errors_and_phases_are_those_of_the_header():
    assert [err.name for err in Err] == _enumerators("bn_err")
    assert list(Err) == list(range(len(Err)))
    assert [phase.name for phase in Phase] == _enumerators("bn_phase")
    assert list(Phase) == list(range(len(Phase)))


def test_return_values_are_named_as_in_the_c_header():
    defined = re.findall(r"#define (CKR_\w+) \(\(CK_RV\)(0x\w+)\)", CRYPTOKI.read_text())
    assert len(defined) > 40
    for name, value in defined:
        assert ckr_name(int(value, 16)) == name
    assert ckr_name(0x8000_0001) == "CKR_VENDOR_DEFINED"
    assert ckr_name(0x7FFF_FFFF) == "unknown CKR"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            NativeError(Err.ERR_PIN_REFUSED, ckr=0xA0, where="C_Login"),
            "the PIN was refused: CKR_PIN_INCORRECT (0xA0) from C_Login",
        ),
        (
            NativeError(Err.ERR_CKR, ckr=0x30, where="C_GenerateRandom", text="twice"),
            "CKR_DEVICE_ERROR (0x30) from C_GenerateRandom: twice",
        ),
        (
            NativeError(Err.ERR_LOCK, sys_errno=12, where="mlock", text="too low"),
            "memory cannot be locked: Cannot allocate memory from mlock: too low",
        ),
        (NativeError(Err.ERR_TOKEN, text="no such token"), "no such token"),
        (
            NativeError(Err.ERR_HEALTH, where="repetition count", text="beyond chance"),
            "an output test latched: repetition count: beyond chance",
        ),
        (NativeError(Err.ERR_STOPPED, where="bn_source_wait"), "stopped: bn_source_wait"),
    ],
)
def test_an_error_is_one_line(error: NativeError, line: str):
    assert str(error) == line
