"""The test token (native/tokens/testtoken.c): built once, and steered through its state file."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from enum import IntEnum
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "testtoken"
STATE_VARIABLE = "BN_TESTTOKEN_STATE"
STATE_BYTES = 4096
LABEL = "testtoken"
SERIAL = "T0001"
PIN = "123456"


class Mode(IntEnum):
    NORMAL = 0
    WRITES_NOTHING = 1  # and says CKR_OK
    WRITES_HALF = 2
    ALL_EQUAL = 3
    HANGS = 4  # until the mode changes
    CRASHES = 5
    REPEATS = 6  # the last block again and again
    ABSENT = 7  # the token is not there, until the mode changes
    HOSTILE = 8  # writes over the ring's heads and counters


class Trouble(IntEnum):
    NONE = 0
    INITIALIZE_HANGS = 1  # until the word changes
    LOGIN_HANGS = 2
    LOGIN_CRASHES = 3


class _Word:
    """A 64-bit word of the state file as an attribute."""

    def __init__(self, index: int) -> None:
        self._slice = slice(8 * index, 8 * index + 8)

    def __get__(self, token: TestToken, owner: type | None = None) -> int:
        return struct.unpack("=Q", token.map[self._slice])[0]

    def __set__(self, token: TestToken, value: int) -> None:
        token.map[self._slice] = struct.pack("=Q", value)


class TestToken:
    """One token's state, shared with every process that loads the module with `environment`."""

    __test__ = False  # not a test, whatever its name says

    next_block = _Word(0)  # counter of the next 16-byte block
    bytes_handed_out = _Word(1)
    calls = _Word(2)
    logins = _Word(3)
    initialisations = _Word(4)
    latency_us = _Word(8)  # of each call; overlaps between threads
    picoseconds_per_byte = _Word(9)  # the device's pace, shared by all threads of a process
    random_ckr = _Word(10)
    random_ckr_calls = _Word(11)  # how many calls get it; 0: until it is taken back
    mode = _Word(12)
    mode_calls = _Word(13)
    length_max = _Word(14)
    trouble = _Word(15)
    login_needed = _Word(16)
    flags = _Word(17)
    locking_ckr = _Word(18)
    slots = _Word(19)
    no_rng = _Word(20)
    login_ckr = _Word(21)

    def __init__(self, state_path: Path) -> None:
        self.state_path = state_path
        descriptor = os.open(state_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, STATE_BYTES)
            self.map = mmap.mmap(descriptor, STATE_BYTES)
        finally:
            os.close(descriptor)

    @property
    def module(self) -> Path:
        return build()

    @property
    def environment(self) -> dict[str, str]:
        return {STATE_VARIABLE: str(self.state_path)}

    def answer(self, ckr: int, calls: int = 0) -> None:
        """Let C_GenerateRandom return `ckr`, `calls` times or until it is taken back."""
        self.random_ckr_calls = calls
        self.random_ckr = ckr

    def behave(self, mode: Mode, calls: int = 0) -> None:
        """Change the mode for so many calls, or until it is changed again."""
        self.mode_calls = calls
        self.mode = mode

    def close(self) -> None:
        self.map.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        flock(file, LOCK_EX)
        yield


def tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: install the test dependencies")
    return found


@cache
def build() -> Path:
    """Build the module if $BN_TESTTOKEN does not name one; several processes may ask at once."""
    if named := os.environ.get("BN_TESTTOKEN"):
        return Path(named)
    return build_target("testtoken", "tokens/testtoken.so")


def build_target(target: str, file: str) -> Path:
    """Build a part of native/ that is for tests only."""
    with _locked(BUILD.with_suffix(".lock")):
        cmake = tool("cmake")
        for command in (
            [
                *(cmake, "-G", "Ninja", "-S", str(ROOT / "native"), "-B", str(BUILD)),
                f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
                *("-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DBN_TESTS=ON", "-DBN_MODULE=OFF"),
            ],
            [cmake, "--build", str(BUILD), "--target", target],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return BUILD / file
