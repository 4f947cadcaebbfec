"""esxcli on a host of the twin: exactly the guide's lines, and refusals that change nothing."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.twin.clock import standing_clock
from bridge.twin.entropyd import State
from bridge.twin.esxcli import NAMES, run_esxcli
from bridge.twin.failure import TwinError
from bridge.twin.fleet import Fleet, Place
from bridge.twin.inventory import Inventory
from bridge.twin.parameters import DEFAULTS
from bridge.twin.runfile import RunningTwin, find, leave_word, take_back
from tests.support.twin import TwinProcess

ROOT = Path(__file__).parents[2]
DEFAULT_LINES = """\
External Entropy Lost Timeout Seconds: 60
Memory Cache Low Watermark Percentage: 20
Memory Cache Size Kibibytes: 512
Storage Cache Size Kibibytes: 4096
"""
CHANGED_LINES = """\
External Entropy Lost Timeout Seconds: 70
Memory Cache Low Watermark Percentage: 30
Memory Cache Size Kibibytes: 612
Storage Cache Size Kibibytes: 5096
"""
GUIDE_SET = (
    "system entropyd set --external-entropy-lost-timeout=70 --memory-cache-low-watermark=30 "
    "--memory-cache-size=612 --storage-cache-size=5096"
)


@pytest.fixture
def daemon():
    fleet = Fleet(Inventory(), standing_clock())
    return fleet.add_host(1, Place("group-h1", "datacenter-1"), storage_bytes=2**20).entropyd


def esxcli(daemon, line: str) -> tuple[int, str]:
    return run_esxcli(shlex.split(line), daemon, 0.0)


def test_the_guides_example_word_for_word(daemon):
    assert esxcli(daemon, "system entropyd get") == (0, DEFAULT_LINES)
    assert esxcli(daemon, GUIDE_SET) == (0, "")
    assert esxcli(daemon, "system entropyd get") == (0, CHANGED_LINES)
    assert esxcli(daemon, "system entropyd get --default-values") == (0, DEFAULT_LINES)


def test_what_was_set_is_what_the_api_shows(daemon):
    esxcli(daemon, GUIDE_SET)
    assert daemon.read(0.0) == (626_688, 524_288, 188_006, 70)
    assert daemon.parameters.storage_bytes == 5096 * 1024


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_is_set_and_reset_alone(daemon, name):
    esxcli(daemon, GUIDE_SET)
    changed = daemon.parameters
    assert esxcli(daemon, f"system entropyd set --reset={name}") == (0, "")
    field = name.replace("-", "_")
    assert getattr(daemon.parameters, field) == getattr(DEFAULTS, field)
    assert sum(a != b for a, b in zip(lines(daemon), CHANGED_LINES.splitlines(), strict=True)) == 1
    value = getattr(changed, field)
    assert esxcli(daemon, f"system entropyd set --{name} {value}") == (0, "")
    assert daemon.parameters == changed


def lines(daemon) -> list[str]:
    return esxcli(daemon, "system entropyd get")[1].splitlines()


def test_reset_all_and_resets_that_add_up(daemon):
    esxcli(daemon, GUIDE_SET)
    two = "--reset=memory-cache-size --reset=storage-cache-size --memory-cache-low-watermark=40"
    assert esxcli(daemon, f"system entropyd set {two}") == (0, "")
    assert daemon.parameters.memory_cache_low_watermark == 40
    assert daemon.parameters.memory_cache_size == 512
    assert daemon.parameters.external_entropy_lost_timeout == 70
    assert esxcli(daemon, "system entropyd set --reset=all") == (0, "")
    assert daemon.parameters == DEFAULTS


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("", "at least one option"),
        ("--memory-cache-size", "wants a value"),
        ("--memory-cache-size=", "whole number"),
        ("--memory-cache-size=0", "between 1 and"),
        ("--memory-cache-size=-5", "whole number"),
        ("--memory-cache-size=1.5", "whole number"),
        ("--memory-cache-size=512k", "whole number"),
        ("--memory-cache-size=99999999", "between 1 and"),
        ("--memory-cache-size=" + 5000 * "9", "between 1 and"),
        ("--memory-cache-low-watermark=0", "between 1 and 99"),
        ("--memory-cache-low-watermark=100", "between 1 and 99"),
        ("--external-entropy-lost-timeout=0", "between 1 and"),
        ("--storage-cache-size=0", "between 1 and"),
        ("--reset", "wants a value"),
        ("--reset=everything", "--reset must be one of: all, memory-cache-size"),
        ("--reset=all --memory-cache-size=1", "set and reset at once"),
        ("--memory-cache-size=1 --memory-cache-size=2", "given twice"),
        ("--cache-size=1", "invalid option --cache-size=1"),
        ("memory-cache-size=1", "invalid option memory-cache-size=1"),
        ("--storage-cache-size=7 --memory-cache-size=x", "whole number"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(daemon, options, reason):
    esxcli(daemon, GUIDE_SET)
    code, output = esxcli(daemon, f"system entropyd set {options}")
    assert code == 1
    assert re.fullmatch(rf"Error: .*{re.escape(reason)}.*\n", output)
    assert esxcli(daemon, "system entropyd get") == (0, CHANGED_LINES)


@pytest.mark.parametrize(
    "line", ["", "system", "system entropyd", "system entropyd put", "network ip get"]
)
def test_other_commands_do_not_exist(daemon, line):
    code, output = esxcli(daemon, line)
    assert code == 1
    assert output.startswith("Error: the twin knows")


@pytest.mark.parametrize("options", ["--all", "--default-values --default-values", "x"])
def test_get_takes_one_option(daemon, options):
    assert esxcli(daemon, f"system entropyd get {options}")[0] == 1


def test_help_names_every_option(daemon):
    code, text = esxcli(daemon, "system entropyd set --help")
    assert code == 0
    for name in (*NAMES, "reset", "all|"):
        assert name in text
    assert "--default-values" in esxcli(daemon, "system entropyd get --help")[1]
    assert esxcli(daemon, "system entropyd --help")[0] == 0


def test_a_host_that_hangs_answers_nothing(daemon):
    daemon.state = State.HUNG
    assert esxcli(daemon, "system entropyd get") == (1, "Error: the host does not respond\n")


def run_client(environment, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge.twin.esxcliclient", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=30,
        check=False,
    )


def test_the_command_finds_the_running_twin(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    lost = run_client(environment, "--host", "host-1001", "system", "entropyd", "get")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert "no twin of this user is running" in lost.stderr
    with TwinProcess("--hosts", 2) as one:
        name = ("--host", "esx-0002.example.test")
        done = run_client(environment, *name, *GUIDE_SET.split())
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        shown = run_client(environment, "--host", "host-1002", "system", "entropyd", "get")
        assert (shown.returncode, shown.stdout) == (0, CHANGED_LINES)
        assert one.esxcli("host-1001", "system", "entropyd", "get") == (0, DEFAULT_LINES)
        bad = run_client(environment, *name, "system", "entropyd", "set", "--memory-cache-size=x")
        assert (bad.returncode, bad.stdout) == (1, "")
        assert bad.stderr.startswith("Error: --memory-cache-size")
        nobody = run_client(environment, "--host", "host-9", "system", "entropyd", "get")
        assert (nobody.returncode, "has no host host-9" in nobody.stderr) == (1, True)
        with TwinProcess("--hosts", 1) as two:
            several = run_client(environment, *name, "system", "entropyd", "get")
            assert (several.returncode, "choose one with --port" in several.stderr) == (2, True)
            port = two.url.rsplit(":", 1)[1]
            chosen = run_client(
                environment, "--port", port, "--host", "host-1001", "system", "entropyd", "get"
            )
            assert chosen.stdout == DEFAULT_LINES
    assert list(tmp_path.iterdir()) == []


def test_word_of_a_twin_that_was_killed_is_no_word(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with subprocess.Popen(["true"]) as gone:
        pass
    path = leave_word(RunningTwin(gone.pid, 1234, "https://127.0.0.1:1234", None, "token"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(TwinError, match="no twin of this user runs on port 1234"):
        find(1234)
    (path.parent / "twin-1.json").write_text("{")
    with pytest.raises(TwinError, match="is running"):
        find()
    take_back(path)
    assert path.parent.exists()


def test_a_directory_that_others_can_write_to_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    directory = tmp_path / "entropy-bridge-twins"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(TwinError, match="not private"):
        find()
    with pytest.raises(TwinError, match="not private"):
        leave_word(RunningTwin(1, 2, "https://127.0.0.1:2", None, "token"))
