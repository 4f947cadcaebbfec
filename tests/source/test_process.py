"""The child process: what it inherits, what it survives, when it dies."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.native.ring import Ring
from bridge.source.exits import Exit
from bridge.source.process import SourceProcess, child_command, child_environment
from tests.source.conftest import alive, running, until
from tests.support.testtoken import Mode

CHILD = "bridge.source.child"

PARENT = """
import asyncio, sys
from bridge.config import HsmConfig
from bridge.source.log import Silent
from bridge.source.supervisor import Source

async def main():
    env = dict(word.split("=", 1) for word in sys.argv[2:])
    source = Source(HsmConfig(name="x", module=sys.argv[1], env=env), log=Silent())
    task = asyncio.create_task(source.run())
    while not source.is_running:
        await asyncio.sleep(0.01)
        if task.done():
            sys.exit(str(task.exception()))
    print(source.status().pid, flush=True)
    await task

asyncio.run(main())
"""


def _parent(token, *prefix):
    variables = [f"{name}={value}" for name, value in token.environment.items()]
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", PARENT, str(token.module), *variables],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("hangs", [False, True])
def test_it_dies_with_a_parent_that_is_killed(token, hangs):
    with _parent(token) as parent:
        pid = int(parent.stdout.readline())
        if hangs:
            token.behave(Mode.HANGS)
        assert alive(pid)
        parent.kill()
    end = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_too_little_lockable_memory_is_one_line(token):
    # Root locks what it likes, unless it has lost the capability.
    drop = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
    with _parent(token, *drop, "prlimit", "--memlock=65536:65536") as parent:
        _, words = parent.communicate(timeout=30)
    line = words.strip().splitlines()
    assert len(line) == 1
    assert "hsm.x: memory cannot be locked" in line[0]
    assert "raise LimitMEMLOCK= (ulimit -l), lower reserve, or set allow_unlocked" in line[0]
    assert parent.returncode == 1


async def test_it_inherits_its_ring_and_nothing_else(make, token, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/test")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "1")
    secret = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(secret, True)
    another_ring = Ring.create(8, 1)
    source = make(sessions=2, env={**token.environment, "MODULE_CONF": "/etc/x"})
    try:
        async with running(source):
            await until(lambda: source.is_running)
            proc = Path(f"/proc/{source.status().pid}")
            environment = dict(
                word.split("=", 1) for word in (proc / "environ").read_text().split("\0") if word
            )
            kinds = sorted(str(path.readlink()).split(":")[0] for path in (proc / "fd").iterdir())
    finally:
        another_ring.close()
        os.close(secret)
    assert environment["MODULE_CONF"] == "/etc/x"
    assert not {"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "SECRET_OF_THE_PARENT"} & {*environment}
    assert set(kinds) == {"/memfd", "anon_inode", "pipe"}
    assert kinds.count("/memfd") == 1


def test_the_environment_is_little(monkeypatch):
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("PYTHONPATH", "/tmp")
    environment = child_environment({"TZ": "UTC"})
    assert environment["PATH"] == "/bin"
    assert environment["TZ"] == "UTC"
    assert "PYTHONPATH" not in environment


@pytest.mark.parametrize("line", [b"", b"nonsense\n", b"{}\n", b"[1]\n", b'{"module": 1}\n'])
def test_no_usable_order_is_an_exit_code_and_no_traceback(line):
    ended = subprocess.run(
        child_command(CHILD), input=line, capture_output=True, check=False, timeout=30
    )
    assert ended.returncode == Exit.ORDER
    assert ended.stdout == b""
    assert ended.stderr == b""


RINGLESS = {
    "parent_pid": os.getpid(),
    "module": "/nowhere.so",
    "init_args": None,
    "token_label": None,
    "serial": None,
    "slot": None,
    "pin_path": None,
    "ring_fd": 0,
    "n_slots": 8,
    "n_readers": 1,
    "data_eventfd": 0,
    "space_eventfds": [0],
    "call_bytes": 0,
    "publish_after_ms": 200,
    "allow_unlocked": True,
}


def test_a_ring_that_is_none_is_one_line():
    ended = subprocess.run(
        child_command(CHILD),
        input=json.dumps(RINGLESS).encode() + b"\n",
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == Exit.FAULT
    assert "sealed memfd" in json.loads(ended.stdout)["error"]
    assert ended.stderr == b""


def _stand_still_until_it_ends(pid):
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_what_it_told_can_be_had_before_the_loop_gets_to_it():
    line = json.dumps(RINGLESS).encode() + b"\n"
    process = SourceProcess(CHILD, line, child_environment({}), (), print)
    _stand_still_until_it_ends(process.pid)
    assert not process.answers
    process.hear()
    assert "sealed memfd" in process.answers["error"]
    assert await process.reaped(10)


HOSTILE = """
import json, sys
sys.stdin.readline()
print("[" * 60000)
print('{"exit": []}')
print('{"exit": true, "slot": "1", "error": {"a": 1}, "label": ["x"], "more": "x"}')
print(json.dumps({"label": "a" + chr(27) + "[2J" + chr(10) + "b"}))
"""


async def test_only_words_and_numbers_are_believed(monkeypatch):
    command = [sys.executable, "-c", HOSTILE]
    monkeypatch.setattr("bridge.source.process.child_command", lambda _: command)
    chatter = []
    child = SourceProcess(CHILD, b"{}\n", child_environment({}), (), chatter.append)
    assert await child.reaped(10)
    assert child.answers == {"label": r"a\x1b[2J\nb"}
    assert chatter == ["[" * 60000]


async def test_ctrl_c_while_it_starts_is_the_parents(make, token):
    source = make()
    token.latency_us = 1000
    async with running(source):
        pid = await until(lambda: source.status().pid)
        for _ in range(20):
            os.kill(pid, signal.SIGINT)
            await asyncio.sleep(0.01)
        await until(lambda: source.is_running)
        assert source.status().pid == pid
    assert not [line for event, line in source.lines.events if event == "the module prints"]
