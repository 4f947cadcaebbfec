"""What a source does when its module fails: discard, latch, recover, end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.native.errors import Err
from tests.support.native_source import RingAndSource, ended_by, proved_bytes
from tests.support.testtoken import Mode, TestToken

if TYPE_CHECKING:
    from pathlib import Path

CKR_DEVICE_ERROR = 0x30
CKR_SESSION_HANDLE_INVALID = 0xB3
CKR_USER_NOT_LOGGED_IN = 0x101
CKR_RANDOM_NO_RNG = 0x121


@pytest.mark.parametrize("mode", [Mode.WRITES_NOTHING, Mode.WRITES_HALF])
def test_what_was_not_written_is_not_published(token: TestToken, mode: Mode):
    with RingAndSource(n_readers=1, call_bytes=4096).run(token.module) as both:
        slots = both.read(200_000)
        token.behave(mode, calls=1)
        slots += both.read_until(lambda: both.view().failures["poison"] > 0)
        slots += both.read(200_000)
        slots += both.read_to_the_end()
        view = both.view()
    proved_bytes(slots)
    assert view.failures["poison"] == 1
    assert view.failed_bytes == 4096
    assert not view.latched
    assert token.bytes_handed_out == view.generated_bytes


@pytest.mark.parametrize("mode", [Mode.ALL_EQUAL, Mode.REPEATS, Mode.WRITES_NOTHING])
def test_a_module_that_stays_broken_latches(token: TestToken, mode: Mode):
    with RingAndSource(call_bytes=4096).run(token.module) as both:
        slots = both.read(200_000)
        token.behave(mode)
        error = ended_by(both, slots)
        assert error.err is Err.ERR_HEALTH
        assert "output test" in str(error)
        slots += both.read_to_the_end()
        view = both.view()
    proved_bytes(slots)
    assert view.latched
    assert view.failed_bytes > 0
    assert view.fault is not None
    assert view.fault.err is Err.ERR_HEALTH
    assert not any(reader.active for reader in view.readers)


def test_a_lost_session_is_opened_again_with_a_login(token: TestToken, pin_path: Path):
    token.login_needed = 1
    with RingAndSource(n_readers=1, call_bytes=4096) as both:
        both.source.load(token.module)
        both.source.login(0, pin_path)
        both.source.start(0)
        slots = both.read(100_000)
        phases = both.view().phases
        token.answer(CKR_SESSION_HANDLE_INVALID, calls=1)
        slots += both.read_until(lambda: both.view().errors == 1)
        slots += both.read(200_000)
        slots += both.read_to_the_end()
        assert both.view().phases == phases + 4  # OPENING, LOGIN, RUNNING, STOPPED
    proved_bytes(slots)
    assert token.logins == 2


def test_a_pin_that_is_refused_after_a_lost_session_ends_it(token: TestToken, pin_path: Path):
    with RingAndSource(n_readers=1) as both:
        both.source.load(token.module)
        both.source.login(0, pin_path)
        both.source.start(0)
        slots = both.read(100_000)
        pin_path.write_text("000000")
        token.answer(CKR_SESSION_HANDLE_INVALID, calls=1)
        error = ended_by(both, slots)
        assert error.err is Err.ERR_PIN_REFUSED
        fault = both.view().fault
        assert fault is not None
        assert fault.err is Err.ERR_PIN_REFUSED
    assert token.logins == 2


@pytest.mark.parametrize(
    ("ckr", "name"),
    [
        (CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR (0x30)"),
        (CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN (0x101)"),
        (0x80001234, "CKR_VENDOR_DEFINED (0x80001234)"),
        (CKR_RANDOM_NO_RNG, "CKR_RANDOM_NO_RNG (0x121)"),
    ],
)
def test_an_error_that_stays_ends_the_source(token: TestToken, ckr: int, name: str):
    with RingAndSource().run(token.module) as both:
        slots = both.read(100_000)
        token.answer(ckr)
        error = ended_by(both, slots)
        assert error.err is Err.ERR_CKR
        assert name in str(error)
        slots += both.read_to_the_end()
        view = both.view()
    proved_bytes(slots)  # and what was good is not thrown away
    assert view.generated_bytes - view.popped_bytes - view.startup_bytes <= 4
    assert view.fault is not None
    assert view.fault.ckr == ckr


def test_a_token_that_is_pulled_out_ends_the_source(token: TestToken):
    with RingAndSource().run(token.module) as both:
        slots = both.read(100_000)
        token.behave(Mode.ABSENT)
        error = ended_by(both, slots)
        assert error.where in {"C_GenerateRandom", "C_OpenSession"}
        assert error.err is Err.ERR_CKR
