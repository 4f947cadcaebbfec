"""Modules that we did not write, and files that are none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.hsm.control import Control
from bridge.native import softtoken_path
from bridge.native.errors import Err, NativeError
from tests.support.modules import NSS_INIT_ARGS, library
from tests.support.native_source import RingAndSource
from tests.support.softhsm import PIN, SoftHsm

if TYPE_CHECKING:
    from tests.support.testtoken import TestToken


def test_no_module_there(tmp_path: Path):
    with RingAndSource() as both:
        with pytest.raises(NativeError, match="cannot open shared object file") as caught:
            both.source.load(tmp_path / "none.so")
        assert caught.value.err is Err.ERR_LOAD
        fault = both.view().fault
        assert fault is not None
        assert str(fault) == str(caught.value)


def test_not_a_module():
    with RingAndSource() as both:
        with pytest.raises(NativeError, match="no C_GetFunctionList") as caught:
            both.source.load(_library("libm.so.6"))
        assert caught.value.err is Err.ERR_NOT_MODULE


def _library(name: str) -> Path:
    with Path("/proc/self/maps").open() as maps:
        return next(Path(line.split()[-1]) for line in maps if line.rstrip().endswith(name))


def test_a_slot_that_is_not_there(token: TestToken):
    with RingAndSource() as both:
        both.source.load(token.module)
        with pytest.raises(NativeError, match="CKR_SLOT_ID_INVALID") as caught:
            both.source.start(77)
        assert caught.value.where == "C_OpenSession"


def test_the_soft_token():
    with RingAndSource().run(softtoken_path()) as both:
        slots = both.read(2_000_000)
    assert len(set(slots)) == len(slots)
    assert abs(sum(map(sum, slots)) / sum(map(len, slots)) - 127.5) < 1


def test_softhsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    softhsm = SoftHsm(tmp_path)
    softhsm.add_token("t")
    pin_path = tmp_path / "pin"
    pin_path.write_text(PIN)
    for name, value in softhsm.environment.items():
        monkeypatch.setenv(name, value)
    with RingAndSource() as both:
        both.source.load(softhsm.module)
        slot_id = Control(softhsm.module).select(label="t").slot_id
        both.source.login(slot_id, pin_path)
        both.source.start(slot_id)
        slots = both.read(2_000_000)
    assert len(set(slots)) == len(slots)


def test_nss_takes_its_string_and_64_kib_at_most():
    module = library("libsoftokn3.so", "libnss3")
    with RingAndSource(n_slots=64, n_readers=2, call_bytes=262_144) as both:
        both.run(module, NSS_INIT_ARGS, slot_id=1)
        slots = both.read(2_000_000)
        # Refused at 256 and 128 KiB; shorter still where there is no more space.
        assert all(reader.call_bytes <= 65536 for reader in both.view().readers)
        assert 2 <= both.view().errors <= 4
    assert len(set(slots)) == len(slots)
