"""Commands with one state directory and one PIN, at once and killed: the token sees one try."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.testtoken import TestToken, Trouble

WORDS = {
    "random": ("hsm", "random", "--bytes", "100", "--hex"),
    "probe": ("hsm", "probe", "--seconds", "0.01"),
}


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    token.login_needed = 1
    token.trouble = Trouble.LOGIN_HANGS
    yield token
    token.close()


@pytest.fixture
def begun(token, tmp_path):
    """Begins a command with a PIN that is wrong."""
    (tmp_path / "pin").write_text("000000")
    (tmp_path / "pin").chmod(0o600)
    config = tmp_path / "bridge.toml"
    config.write_text(
        f"""
        state_dir = "{tmp_path / "state"}"
        [hsm.test]
        module = "{token.module}"
        env = {{ BN_TESTTOKEN_STATE = "{token.state_path}" }}
        pin_file = "{tmp_path / "pin"}"
        sessions = 1
        """
    )
    running = []

    def begin(kind):
        words = [sys.executable, "-m", "bridge.cli", *WORDS[kind], "--config", config]
        process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # as a shell has it, for Ctrl-C
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def until_logging_in(token):
    end = time.monotonic() + 20
    while not token.logins:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def said(process, code=1):
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error.count("\n")) == (code, "", 1)
    return error


@pytest.mark.parametrize(("first", "second"), [("random", "probe"), ("probe", "random")])
def test_two_at_once_cost_one_try(token, begun, first, second):
    one = begun(first)
    until_logging_in(token)
    other = begun(second)
    time.sleep(1.5)  # until it waits, or what it does shows
    assert token.logins == 1
    token.trouble = Trouble.NONE
    assert "the PIN was refused: CKR_PIN_INCORRECT" in said(one)
    assert "the PIN was refused before and is not tried again" in said(other)
    assert token.logins == 1


@pytest.mark.parametrize("first", ["random", "probe"])
def test_who_is_killed_leaves_word_for_all_others(token, begun, tmp_path, first):
    one = begun(first)
    until_logging_in(token)
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    token.trouble = Trouble.NONE
    for kind in WORDS:
        assert f"remove {tmp_path}/state/login-begun.test" in said(begun(kind))
    assert token.logins == 1


@pytest.mark.parametrize("kind", WORDS)
def test_ctrl_c_lets_a_login_end(token, begun, tmp_path, kind):
    one = begun(kind)
    until_logging_in(token)
    os.killpg(one.pid, signal.SIGINT)
    time.sleep(0.5)
    token.trouble = Trouble.NONE
    one.communicate(timeout=30)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["pin-refused.test"]
    assert token.logins == 1


def test_who_waits_for_one_that_is_stopped_is_not_in_its_way(token, begun, tmp_path):
    one = begun("random")
    until_logging_in(token)
    os.kill(one.pid, signal.SIGSTOP)
    other = begun("probe")
    time.sleep(1.5)
    assert token.logins == 1
    other.kill()
    other.wait()
    (tmp_path / "pin").write_text("123456")  # too late: the other one was read
    os.kill(one.pid, signal.SIGCONT)
    token.trouble = Trouble.NONE
    assert "the PIN was refused: CKR_PIN_INCORRECT" in said(one)
    assert token.logins == 1


@pytest.mark.parametrize("kind", WORDS)
def test_no_pin_is_tried_whose_refusal_could_not_be_noted(token, begun, tmp_path, kind):
    (tmp_path / "state").touch()
    assert f"state_dir: {tmp_path}/state is not a directory" in said(begun(kind), code=2)
    assert not token.logins
