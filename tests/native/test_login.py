"""The PIN: read from its file, announced, tried once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from bridge.native.errors import Err, NativeError
from bridge.native.ring import Phase
from tests.support.native_source import RingAndSource, proved_bytes
from tests.support.testtoken import PIN, TestToken, Trouble

if TYPE_CHECKING:
    from pathlib import Path

CKF_USER_PIN_FINAL_TRY = 0x20000
CKF_USER_PIN_LOCKED = 0x40000


def test_a_login_opens_the_token(token: TestToken, pin_path: Path):
    token.login_needed = 1
    with RingAndSource() as both:
        both.source.load(token.module)
        assert both.view().phase is Phase.SELECTING
        both.source.login(0, pin_path)
        both.source.start(0)
        proved_bytes(both.read(500_000))
    assert token.logins == 1


@pytest.mark.parametrize("content", [PIN.encode() + end for end in (b"", b"\n", b"\r\n")])
def test_one_newline_is_not_part_of_the_pin(token: TestToken, pin_path: Path, content: bytes):
    pin_path.write_bytes(content)
    with RingAndSource() as both:
        both.source.load(token.module)
        both.source.login(0, pin_path)
        assert both.view().phase is Phase.OPENING


@pytest.mark.parametrize("content", ["000000", PIN + "\r", " " + PIN])
def test_a_refused_pin_says_so(token: TestToken, pin_path: Path, content: str):
    pin_path.write_bytes(content.encode())
    with RingAndSource() as both:
        both.source.load(token.module)
        with pytest.raises(NativeError) as caught:
            both.source.login(0, pin_path)
        view = both.view()
        with pytest.raises(NativeError) as again:
            both.source.login(0, pin_path)
    assert caught.value.err is Err.ERR_PIN_REFUSED
    assert str(caught.value) == "the PIN was refused: CKR_PIN_INCORRECT (0xA0) from C_Login"
    assert view.phase is Phase.STOPPED
    assert view.fault is not None
    assert view.fault.err is Err.ERR_PIN_REFUSED
    assert again.value.err is Err.ERR_ARGUMENT
    assert token.logins == 1


@pytest.mark.parametrize("flag", [CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED])
def test_no_login_is_made_when_a_wrong_one_would_be_the_last(
    token: TestToken, pin_path: Path, flag: int
):
    token.flags = flag
    with RingAndSource() as both:
        both.source.load(token.module)
        with pytest.raises(NativeError, match="no login was made") as caught:
            both.source.login(0, pin_path)
        assert both.view().phases == 4  # never LOGIN
    assert caught.value.err is Err.ERR_PIN_REFUSED
    assert token.logins == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\r\n", "is empty"),
        (b"7" * 2000, "too long"),
        (b"777777\n\n", "more than one line"),
        (b"777777\nold: 777\n", "more than one line"),
    ],
)
def test_a_pin_file_that_is_no_good(
    token: TestToken, pin_path: Path, content: bytes | None, words: str
):
    if content is None:
        pin_path.unlink()
    else:
        pin_path.write_bytes(content)
    with RingAndSource() as both:
        both.source.load(token.module)
        with pytest.raises(NativeError, match=words) as caught:
            both.source.login(0, pin_path)
    assert caught.value.err is Err.ERR_PIN_FILE
    assert str(pin_path) in str(caught.value)
    assert "777" not in str(caught.value)
    assert token.logins == 0


def test_a_login_is_announced_before_it_is_made(token: TestToken, pin_path: Path):
    token.trouble = Trouble.LOGIN_HANGS
    with RingAndSource() as both:
        both.source.load(token.module)
        thread = threading.Thread(target=both.source.login, args=(0, pin_path))
        thread.start()
        both.read_until(lambda: token.logins == 1)
        assert both.view().phase is Phase.LOGIN
        token.trouble = Trouble.NONE
        thread.join()
        assert both.view().phase is Phase.OPENING
