"""`hsm list|info|random` with the soft token and with SoftHSM2, as a user runs them."""

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.hsm.records import ModuleInfo

SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture
def softhsm(tmp_path):
    """Options for a SoftHSM2 of its own, with one token."""
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    subprocess.run(
        [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "entropy",
            "--so-pin",
            "12345678",
            "--pin",
            "87654321",
        ],
        env=os.environ | {"SOFTHSM2_CONF": str(configuration)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return ["--module", SOFTHSM, "--env", f"SOFTHSM2_CONF={configuration}"]


@pytest.fixture
def pin_file(tmp_path):
    def write(pin):
        path = tmp_path / "pin"
        path.write_text(pin + "\n")
        path.chmod(0o600)
        return path

    return write


def test_the_soft_token_is_listed(command):
    run = command("hsm", "list", "--soft-token")
    assert (run.code, run.err) == (0, "")
    assert "entropy-bridge soft token" in run.out
    shown = json.loads(command("hsm", "list", "--soft-token", "--json").out)
    assert shown["slots"][0]["token"]["model"] == "softtoken"


def test_a_module_tells_of_itself(command, softhsm):
    run = command("hsm", "info", *softhsm)
    assert (run.code, run.err) == (0, "")
    assert "entropy" in run.out
    assert "not initialised" in run.out
    assert "AES_CBC" in run.out
    info = json.loads(command("hsm", "info", *softhsm, "--json").out)
    assert "AES_CBC" in info["slots"][0]["mechanisms"]


@pytest.mark.parametrize("n_bytes", [1, 47, 48, 100_000])
def test_bytes_come_in_every_form(command, n_bytes):
    text = command("hsm", "random", "--soft-token", "--bytes", n_bytes, "--hex")
    assert (text.code, text.err) == (0, "")
    assert len(bytes.fromhex(text.out)) == n_bytes
    text = command("hsm", "random", "--soft-token", "--bytes", n_bytes, "--base64")
    assert len(base64.b64decode("".join(text.out.split()), validate=True)) == n_bytes


def test_bytes_into_a_pipe_are_raw_and_never_the_same():
    words = [sys.executable, "-m", "bridge.cli", "hsm", "random", "--soft-token", "--bytes", "1000"]
    first, second = (
        subprocess.run(words, stdout=subprocess.PIPE, timeout=60, check=True).stdout
        for _ in range(2)
    )
    assert len(first) == len(second) == 1000
    assert not {first[i : i + 8] for i in range(992)} & {second[i : i + 8] for i in range(992)}


def test_bytes_from_a_token_that_wants_a_login(command, softhsm, pin_file, tmp_path):
    path = tmp_path / "random.bin"
    options = [*softhsm, "--token-label", "entropy", "--pin-file", pin_file("87654321")]
    run = command("hsm", "random", *options, "--bytes", "3MiB", "--output", path, "--json")
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out) == {"output": str(path), "bytes": 3 * 2**20}
    assert path.stat().st_size == 3 * 2**20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_module_that_misses_its_environment_says_where_it_goes(command, tmp_path):
    run = command("hsm", "list", "--module", SOFTHSM, "--env", f"SOFTHSM2_CONF={tmp_path}/none")
    assert run.code == 1
    assert "from C_Initialize; does it want a variable in env (--env NAME=VALUE)" in run.error
    assert run.error.endswith("Does a service of the vendor's have to run?")


def test_a_module_without_slots_says_what_may_be_missing(called, monkeypatch):
    info = ModuleInfo("module.so", "", "", "2.40", "1.0", ())
    monkeypatch.setattr("bridge.cli.hsm.inspect_module", lambda *_: info)
    run = called("hsm", "list", "--soft-token")
    assert run.code == 0
    assert "the module shows no slot at all; is the HSM connected" in run.error


def test_what_is_warned_of_is_called_as_it_was_given(command, softhsm, pin_file):
    path = pin_file("87654321")
    path.chmod(0o644)
    options = [*softhsm, "--token-label", "entropy", "--pin-file", path]
    run = command("hsm", "random", *options, "--bytes", 3, "--hex")
    assert run.code == 0
    assert run.error == f"warning: --pin-file other users may open {path}; run chmod 600 on it"


def test_a_wrong_pin_is_one_line(command, softhsm, pin_file):
    options = [*softhsm, "--token-label", "entropy", "--pin-file", pin_file("hunter22")]
    run = command("hsm", "random", *options, "--bytes", "3", "--hex")
    assert "CKR_PIN_INCORRECT" in run.error
    assert "hunter22" not in run.err
    assert (run.code, run.out) == (1, "")


def test_a_service_directory_that_is_none_is_one_line(called, monkeypatch, pin_file):
    monkeypatch.setenv("STATE_DIRECTORY", "/dev/null")
    words = ("hsm", "random", "--soft-token", "--hex", "--bytes", 9)
    run = called(*words, "--pin-file", pin_file("0"))
    assert run.error.startswith("$STATE_DIRECTORY: /dev/null is not a directory")
    assert run.code == 2
    assert called(*words).code == 0  # without a PIN there is nothing to note


def test_a_token_without_its_configuration_is_one_line(command, tmp_path):
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}\n")
    run = command(
        *("hsm", "random", "--module", SOFTHSM, "--bytes", "3", "--hex"),
        *("--env", f"SOFTHSM2_CONF={tmp_path}/softhsm2.conf"),
    )
    assert "CKR_TOKEN_NOT_RECOGNIZED (0xE1)" in run.error
    assert run.error.endswith(", or name the module's own configuration in env")
    assert run.code == 1


def test_a_token_that_is_not_there_is_one_line(command, softhsm):
    run = command("hsm", "random", *softhsm, "--token-label", "x", "--bytes", "3", "--hex")
    assert "no token labelled 'x'; present: 'entropy'" in run.error
    assert (run.code, run.out) == (1, "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["list"], "which HSM? name a module with --module"),
        (["list", "--module", "/none.so"], "--module /none.so does not exist"),
        (["list", "--module", "/"], "--module / is a directory"),
        (["list", "--soft-token", "--module", "/x"], "not allowed with argument"),
        (["list", "--soft-token", "--hsm", "x"], "--hsm chooses from a configuration"),
        (["list", "--slot", "1"], "--slot goes with --module"),
        (["list", "--soft-token", "--slot", "-1"], "--slot must be at least 0"),
        (["list", "--soft-token", "--slot", "1", "--serial", "x"], "both choose the token"),
        (["list", "--soft-token", "--pin-file", "/none"], "--pin-file cannot read /none"),
        (["list", "--soft-token", "--env", "x"], "--env wants NAME=VALUE"),
        (["random", "--soft-token"], "the following arguments are required: --bytes"),
        (["random", "--soft-token", "--bytes", "many"], "'many' is not a size"),
        (["random", "--soft-token", "--bytes", "0"], "--bytes must be at least 1"),
        (["random", "--soft-token", "--bytes", "9", "--json"], "--json needs --output FILE"),
        (["random", "--soft-token", "--bytes", "9", "--force"], "--force needs --output FILE"),
        (["random", "--soft-token", "--bytes", "9", "--hex", "--base64"], "not allowed with"),
    ],
)
def test_wrong_words(called, words, text):
    run = called("hsm", *words)
    assert text in run.error
    assert (run.code, run.out) == (2, "")


def test_a_module_that_is_none(command, tmp_path):
    path = tmp_path / "module.so"
    path.write_text("not a library")
    run = command("hsm", "list", "--module", path)
    assert "cannot be loaded" in run.error
    assert (run.code, run.out) == (1, "")


def test_an_hsm_of_a_configuration(called, tmp_path):
    path = tmp_path / "bridge.toml"
    path.write_text('[hsm.a]\nmodule = "none.so"\n[hsm.b]\nmodule = "none.so"\n')
    assert "choose with --hsm a|b" in called("hsm", "list", "--config", path).error
    assert "it has a, b" in called("hsm", "list", "--config", path, "--hsm", "c").error
    run = called("hsm", "list", "--config", path, "--hsm", "b")
    assert run.error.startswith(f"{path}: hsm.b.module: {tmp_path}/none.so does not exist")
    assert run.code == 2


def test_an_existing_file_stays(command, tmp_path):
    path = tmp_path / "random.bin"
    path.write_text("old")
    run = command("hsm", "random", "--soft-token", "--bytes", "9", "--output", path)
    assert "exists; choose another name" in run.error
    assert (run.code, path.read_text()) == (1, "old")
    run = command("hsm", "random", "--soft-token", "--bytes", "9", "--output", path, "--force")
    assert (run.code, run.err, path.stat().st_size) == (0, "", 9)


def test_an_interrupt_leaves_nothing(tmp_path):
    words = ["hsm", "random", "--soft-token", "--bytes", "100GiB", "--output", tmp_path / "r"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 30
        while not any(each.stat().st_size for each in tmp_path.iterdir()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_gets_no_bytes():
    main, terminal = os.openpty()
    try:
        run = subprocess.run(
            [sys.executable, "-m", "bridge.cli", "hsm", "random", "--soft-token", "--bytes", "9"],
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(main)
    assert run.returncode == 2
    assert run.stderr.startswith("entropy-bridge: a terminal cannot show bytes; use --hex")
