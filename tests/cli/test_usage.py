"""What is asked wrongly is one line on standard error, and exit code 2."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import main as main_module
from bridge.cli.main import COMMANDS, main
from tests.support.bridge import wait_until


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "needs a command"),
        (["confg"], "there is no command 'confg'; did you mean config?"),
        (["xyzzy"], "there is no command 'xyzzy'; commands are "),
        (["a\nb"], "there is no command 'a\\nb'"),
        (["--verbose"], "does not know '--verbose'"),
        (["--verison"], "does not know '--verison'; did you mean --version?"),
        (["config"], "the following arguments are required: schema|show"),
        (["config", "shwo"], "invalid choice: 'shwo'"),
        (["config", "show", "--confg", "x"], "does not know '--confg'; did you mean --config?"),
        (["config", "show", "--conf", "x"], "does not know '--conf'"),
        (
            ["hsm", "random", "--bytes", "1", "--pin", "1"],
            "--pin-file?; see entropy-bridge hsm random --help",
        ),
        (["twin", "serve", "--x"], "does not know '--x'; see entropy-bridge twin serve --help"),
        (["config", "show", "--config"], "argument --config: expected one argument"),
        (["config", "show", "extra\n"], "does not know 'extra\\n'"),
        (["twin", "serve", "--port", "many"], "argument --port: invalid int value"),
        (["twin", "serve", "--drain-profile", "x"], "'x' is not one of constant, bursty, heavy-"),
        (["twin", "serve", "--hosts", "0"], "hosts must be between 1 and 100000"),
    ],
)
def test_wrong_words(called, words, text):
    run = called(*words)
    assert text in run.error
    assert (run.code, run.out) == (2, "")


def test_a_user_sees_one_line(command):
    run = command("confg")
    assert run.error.startswith("there is no command 'confg'; did you mean config?")
    assert (run.code, run.out) == (2, "")


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help(command, words):
    run = command(*words, "--help")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("usage: entropy-bridge")


@pytest.mark.parametrize(
    "words",
    [
        *("config schema", "config show", "hsm list", "hsm info", "hsm probe", "hsm random"),
        *("kickstart build", "kickstart check", "kickstart shred"),
        *("twin serve", "twin rehearse", "twin esxcli"),
    ],
)
def test_every_help_says_what_the_command_does(called, words):
    run = called(*words.split(), "--help")
    assert (run.code, run.err) == (0, "")
    does = run.out.split("\n\n")[1]
    assert re.fullmatch(r"[A-Z][^.]*\.", does), does


def test_the_version(command):
    run = command("--version")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("entropy-bridge ")


def test_an_error_of_ours_is_one_line_too(monkeypatch, capsys):
    def fail(_words):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(main_module, "_run", fail)
    assert main(["config"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("entropy-bridge: RuntimeError: two\\nlines (test_usage.py:")
    assert captured.err.endswith("this is a bug, please report it\n")
    assert captured.err.count("\n") == 1


def test_interrupt_is_quiet(monkeypatch, capsys):
    def interrupted(_words):
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "_run", interrupted)
    assert main(["config"]) == 130
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_while_loading_is_quiet():
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "bridge.cli", "config", "schema"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.endswith(" pydantic_core\n"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in err
    assert " bridge.cli.main\n" not in err  # it was still loading


def test_a_reader_that_leaves_is_no_traceback():
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "config", "schema"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")


@pytest.mark.parametrize("words", ["config schema", "--version", "hosts --help"])
def test_a_full_disk_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "bridge.cli", *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr == "entropy-bridge: standard output: No space left on device\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_command_leaves_nothing_behind(number, tmp_path):
    process = subprocess.Popen(
        [
            *("env", f"--default-signal={number.name}"),  # the tests may run under nohup
            *(sys.executable, "-m", "bridge.cli", "hsm", "random", "--soft-token"),
            *("--bytes", "1000GiB", "--output", str(tmp_path / "out")),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: any(path.stat().st_size for path in tmp_path.iterdir()))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (-number, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(closed):
    run = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m bridge.cli config schema {closed}'],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert bool(run.stdout) == (" >&-" not in f" {closed}")
