"""`hsm probe` with the test token, the soft token and SoftHSM2, as a user runs it."""

import importlib.util
import json
import re

import pytest

from bridge.config import HsmConfig
from bridge.source.announcement import Announcement
from bridge.source.errors import SourceFailed, SourceRefused
from bridge.source.probe import probe_token
from tests.support.softhsm import PIN, SoftHsm
from tests.support.testtoken import Mode, TestToken, Trouble

QUICK = ("--seconds", "0.02")


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    yield token
    token.close()


@pytest.fixture
def probed(command, token):
    """Probe the test token; gives what --json says."""

    def run(*words):
        env = f"BN_TESTTOKEN_STATE={token.state_path}"
        words = ("--module", token.module, "--env", env, *QUICK, *words)
        done = command("hsm", "probe", *words, "--json")
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return run


def _lengths(found):
    return {each["length_bytes"]: each["ckr"] for each in found["lengths"]}


def test_a_capped_length(probed, token):
    token.length_max = 3136
    found = probed()
    assert found["limit"] == {"longest_bytes": 3136, "beyond": "CKR_ARGUMENTS_BAD"}
    assert {cell["call_bytes"] for cell in found["cells"]} == {1024, 2048, 3136}
    assert _lengths(found)[1025] == "CKR_OK"
    assert _lengths(found)[65537] == "CKR_ARGUMENTS_BAD"
    assert found["advice"]["call_bytes"] <= 3136


def test_latency_asks_for_long_calls_and_many_sessions(probed, token):
    token.latency_us = 5000
    token.length_max = 4096
    found = probed()
    assert (found["advice"]["call_bytes"], found["advice"]["sessions"]) == (4096, 4)
    for cell in found["cells"]:
        assert 0.0048 < cell["p50_seconds"] <= cell["p99_seconds"] <= cell["max_seconds"] < 1


def test_a_pace_that_all_share_asks_for_nothing(probed, token):
    token.picoseconds_per_byte = 500_000  # 2 MB/s, whatever one does
    token.length_max = 16384
    found = probed("--seconds", "0.1")
    assert found["advice"]["sessions"] == 1
    for cell in found["cells"]:
        assert 1e6 < cell["bytes_per_second"] < 2.3e6


def test_what_is_drawn_is_accounted_for(probed, token):
    found = probed()
    drawn = sum(cell["calls"] * cell["call_bytes"] for cell in found["cells"])
    assert 0 < drawn <= token.bytes_handed_out
    assert not any(each["unwritten"] or each["spilled"] for each in found["lengths"])


def test_a_module_that_cannot_lock_has_one_session(probed, token):
    token.locking_ckr = 0xA  # CKR_CANT_LOCK
    assert {cell["sessions"] for cell in probed()["cells"]} == {1}


def test_a_module_that_leaves_holes_is_told_on(command, token):
    token.behave(Mode.WRITES_HALF)
    env = f"BN_TESTTOKEN_STATE={token.state_path}"
    run = command("hsm", "probe", "--module", token.module, "--env", env, *QUICK)
    assert run.code == 0
    assert "1,023 ok BUT NOT ALL WRITTEN" in run.out


def test_a_login_is_made_only_if_it_is_needed(probed, token, tmp_path):
    pin_path = tmp_path / "pin"
    pin_path.write_text("123456\n")
    pin_path.chmod(0o600)
    assert not probed("--pin-file", pin_path)["login_needed"]
    assert token.logins == 0
    token.login_needed = 1
    assert probed("--pin-file", pin_path)["login_needed"]
    assert token.logins == 1


def test_softhsm(command, tmp_path):
    softhsm = SoftHsm(tmp_path)
    softhsm.add_token("t")
    (tmp_path / "pin").write_text(PIN)
    (tmp_path / "pin").chmod(0o600)
    env = f"SOFTHSM2_CONF={softhsm.environment['SOFTHSM2_CONF']}"
    words = ("--module", softhsm.module, "--env", env, "--token-label", "t")
    picture = tmp_path / "probe.png"
    run = command("hsm", "probe", *words, *QUICK, "--pin-file", tmp_path / "pin", "--plot", picture)
    assert (run.code, run.err) == (0, "")
    assert "longest call: 1,048,576 bytes" in run.out
    advice = re.search(r"configure: call_bytes = (\d+), sessions = (\d)", run.out)
    assert advice is not None
    assert run.out.count("MiB/s") + run.out.count("GiB/s") == 34
    assert picture.read_bytes().startswith(b"\x89PNG")


# ---- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--soft-token", "--seconds", "0"], "'0' is not a number from 0.01 to 60"),
        (["--soft-token", "--seconds", "nan"], "'nan' is not a number"),
        (["--soft-token", "--plot", "probe.svg"], "ends in .png, not 'probe.svg'"),
        (["--soft-token", "--plot", "/nowhere/probe.png"], "there is no directory /nowhere"),
        (["--soft-token", "--slot", "9"], "no token in slot 9; present:"),
        (["--soft-token", "--token-label", "x"], "no token labelled 'x'; present:"),
        (["--module", "/nowhere.so"], "/nowhere.so does not exist"),
        ([], "which HSM?"),
    ],
)
def test_bad_input_is_one_line(called, words, text):
    run = called("hsm", "probe", *words)
    assert text in run.error
    assert (run.code, run.out) == (1 if "present" in text else 2, "")


def test_a_picture_without_matplotlib_is_one_line(called, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    run = called("hsm", "probe", "--soft-token", "--plot", "probe.png")
    assert run.error.startswith("--plot needs matplotlib: python -m pip install matplotlib")
    assert run.code == 2


@pytest.mark.parametrize(
    ("word", "value", "text"),
    [
        ("no_rng", 1, "CKR_RANDOM_NO_RNG (0x121) from C_GenerateRandom; this token has no"),
        ("login_needed", 1, "after a login only; give it a PIN (pin_file)"),
        ("mode", Mode.CRASHES, "the process was killed by SIGSEGV"),
        ("mode", Mode.ABSENT, "the module shows no token at all"),
    ],
)
def test_trouble_is_one_line(command, token, word, value, text):
    setattr(token, word, value)
    env = f"BN_TESTTOKEN_STATE={token.state_path}"
    run = command("hsm", "probe", "--module", token.module, "--env", env, *QUICK)
    assert text in run.error
    assert (run.code, run.out) == (1, "")


def _config(token, **table):
    return HsmConfig(name="t", module=token.module, env=token.environment, **table)


def _probe(config, state_dir):
    return probe_token(config, seconds=0.02, progress=lambda *_: None, state_dir=state_dir)


@pytest.mark.parametrize(
    ("pin", "trouble", "text"),
    [
        ("654321", Trouble.NONE, r"CKR_PIN_INCORRECT \(0xA0\) from C_Login"),
        ("123456", Trouble.LOGIN_CRASHES, "killed by SIGSEGV, in the middle of C_Login"),
        ("123456", Trouble.LOGIN_HANGS, "no answer within 1.02 s, in the middle of C_Login"),
    ],
)
def test_a_pin_that_was_refused_is_never_tried_again(token, tmp_path, pin, trouble, text):
    token.login_needed = 1
    token.trouble = trouble
    pin_path = tmp_path / "pin"
    pin_path.write_text(pin)
    config = _config(token, pin_file=pin_path, start_timeout_seconds=1, call_timeout_seconds=1)
    with pytest.raises(SourceRefused, match=text):
        _probe(config, tmp_path)
    with pytest.raises(SourceRefused, match="the PIN was refused before"):
        _probe(config, tmp_path)
    assert token.logins == 1
    assert not (tmp_path / "login-begun.t").exists()


def test_a_refusal_is_noted_before_others_may_log_in(token, tmp_path, monkeypatch):
    def withdrawn(announcement):
        noted.append((tmp_path / "pin-refused.t").exists())
        withdraw(announcement)

    noted, withdraw = [], Announcement.withdraw
    monkeypatch.setattr(Announcement, "withdraw", withdrawn)
    token.login_needed = 1
    pin_path = tmp_path / "pin"
    pin_path.write_text("654321")
    with pytest.raises(SourceRefused):
        _probe(_config(token, pin_file=pin_path), tmp_path)
    assert noted == [True]


def test_a_call_that_hangs_is_given_up(token, tmp_path):
    token.behave(Mode.HANGS)
    config = _config(token, start_timeout_seconds=1, call_timeout_seconds=1)
    with pytest.raises(SourceFailed, match=r"no answer within 1.02 s"):
        _probe(config, tmp_path)
