"""What a process that holds secrets does to itself; wiping; the cutoffs of the output tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.native import secure_memory, wipe
from bridge.native.errors import NativeError
from tests.support.testtoken import ROOT


def run(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()


def test_hardened_process_cannot_be_dumped() -> None:
    printed = run(
        f"""
import ctypes
from bridge.native import harden_process
harden_process({os.getpid()})
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""
    )
    assert printed == "0"


def test_a_parent_that_is_gone() -> None:
    printed = run(
        """
from bridge.native import harden_process
from bridge.native.errors import Err, NativeError
try:
    harden_process(2**30)
except NativeError as error:
    print(error.err is Err.ERR_STOPPED, error)
"""
    )
    assert printed.startswith("True")
    assert "parent" in printed


def test_dies_with_its_parent() -> None:
    child = """
import os, sys, time
from bridge.native import harden_process
harden_process(os.getppid())
print(os.getpid(), flush=True)
time.sleep(60)
"""
    parent = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip(), flush=True)
import os
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", parent],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,  # less than the child sleeps: it holds the pipe that is waited for
    )
    assert done.returncode == -9
    assert int(done.stdout) > 0


@pytest.mark.parametrize("size", [0, 1, 100, 100_000])
def test_wipe(size: int) -> None:
    buffer = bytearray(b"\xa5" * (size + 2))
    wipe(memoryview(buffer)[1 : size + 1])
    assert buffer == b"\xa5" + bytes(size) + b"\xa5"


def test_wipe_needs_a_writable_buffer() -> None:
    with pytest.raises((BufferError, TypeError, ValueError)):
        wipe(b"secret")


def locked_bytes() -> int:
    [line] = re.findall(r"^VmLck:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(line) * 1024


def test_secure_memory_is_locked_while_a_view_of_it_lives() -> None:
    before = locked_bytes()
    part = secure_memory(100_000)[10:20]
    assert part.tobytes() == bytes(10)
    part[:] = b"\xa5" * 10
    assert locked_bytes() >= before + 100_000
    del part
    assert locked_bytes() == before


def test_secure_memory_of_nothing_is_refused() -> None:
    with pytest.raises(NativeError):
        secure_memory(0)


def test_cutoffs_are_what_their_probabilities_say() -> None:
    script = ROOT / "native" / "src" / "health" / "cutoffs.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
