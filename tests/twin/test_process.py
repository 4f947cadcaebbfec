"""The twin as a process: its first lines, its end, and what it leaves behind (nothing)."""

import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bridge.twin.options import TwinError, TwinOptions
from bridge.twin.server import TwinServer
from tests.support.bridge import wait_until
from tests.support.twin import TwinProcess

ROOT = Path(__file__).parents[2]


def run_twin(*arguments: object, **more) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bridge.twin", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **more,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_says_how_to_reach_it_and_leaves_nothing_behind(number, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with run_twin("--hosts", 2, env=environment) as process:
        lines = dict(process.stdout.readline().strip().split(": ", 1) for _ in range(6))
        assert list(lines) == [
            "URL",
            "CA file",
            "User",
            "Password file",
            "Password",
            "Admin token",
        ]
        assert Path(lines["Password file"]).read_text().strip() == lines["Password"]
        assert Path(lines["Password file"]).stat().st_mode & 0o077 == 0
        assert Path(lines["CA file"]).parent.stat().st_mode & 0o077 == 0
        context = ssl.create_default_context(cafile=lines["CA file"])
        request = urllib.request.Request(
            lines["URL"] + "/twin/hosts",
            headers={"Authorization": f"Bearer {lines['Admin token']}"},
        )
        with urllib.request.urlopen(request, context=context, timeout=10) as reply:
            assert reply.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_ends_with_its_lifeline_and_answers_until_then(tmp_path):
    with TwinProcess("--hosts", 3, "--record", tmp_path / "record") as twin:
        assert sorted(twin.hosts()) == ["host-1001", "host-1002", "host-1003"]
        twin.set_faults({"kind": "error", "operations": ["pool.get"]})
        assert twin.faults()[0]["struck"] == 0
        twin.change_host("host-1001", level_bytes=0)
        assert twin.hosts()["host-1001"]["dry_count"] == 1
        twin.jump(61)
        assert {it["event_id"] for it in twin.events()} >= {
            "esx.audit.entropy.external.source.disconnected"
        }
        assert twin.expire_sessions() == 0
        ca_file = twin.ca_file
        assert twin.stop() == 0
    assert not ca_file.exists()


def test_a_given_password_is_not_shown(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    with TwinProcess("--hosts", 1, "--password-file", secret, "--directory", tmp_path) as twin:
        assert twin.password is None
        assert twin.password_file == secret
    assert list(tmp_path.iterdir()) == [secret]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address", "0.0.0.0"], "not a loopback address"),
        (["--hosts", 0], "hosts must be"),
        (["--password-file", "/nonexistent"], "cannot read /nonexistent"),
        (["--record", "/proc/nowhere"], "cannot write a record"),
        (["--fault-file", "/nonexistent"], "cannot read /nonexistent"),
        (["--initial-level", 2], "fraction"),
        (["--speed", "inf"], "the speed must be"),
        (["--session-idle-seconds", "nan"], "a session must last"),
        (["--max-sessions-per-user", 0], "a user must be"),
    ],
)
def test_says_in_one_line_what_is_wrong(arguments, message):
    with run_twin(*arguments) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_said_so():
    with TwinProcess("--hosts", 1) as twin:
        port = twin.url.rsplit(":", 1)[1]
        with run_twin("--port", port) as second:
            _, err = second.communicate(timeout=20)
        assert second.returncode == 1
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in err


def test_faults_can_come_from_a_file(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('[{"kind": "delay", "delay_seconds": 2}]')
    with TwinProcess("--hosts", 1, "--fault-file", file) as twin:
        assert twin.faults()[0]["rule"] == {"kind": "delay", "delay_seconds": 2.0}
        file.write_text('[{"kind": "error", "count": 3}]')
        twin.process.send_signal(signal.SIGHUP)
        wait_until(lambda: twin.faults()[0]["rule"] == {"kind": "error", "count": 3})
        file.write_text("[{}]")
        twin.process.send_signal(signal.SIGHUP)
        twin.faults()  # the signal has come before the answer to this
        assert twin.faults()[0]["rule"] == {"kind": "error", "count": 3}


def test_a_fault_file_that_is_none_is_named(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('{"kind": "error"}')
    with run_twin("--hosts", 1, "--fault-file", file) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert f"{file}: bad fault rule: the document: should be a list, as in [{{" in err


def test_loopback_is_the_default_and_the_exception_is_explicit():
    assert TwinOptions().is_loopback
    assert TwinOptions(address="::1").is_loopback
    assert TwinOptions(address="192.0.2.1", allow_remote=True).address == "192.0.2.1"
    with pytest.raises(TwinError):
        TwinOptions(address="vcenter.example.test")


async def test_files_are_told_by_paths_that_hold_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = TwinServer(TwinOptions(hosts=1, directory=Path("twin")))
    address = await server.start()
    assert address.ca_file == tmp_path / "twin" / "ca.pem"
    assert address.password_file == tmp_path / "twin" / "password"
    await server.stop()
    assert list((tmp_path / "twin").iterdir()) == []
