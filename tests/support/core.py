"""What the kernel writes down of a process that dies: its core, or that there is none."""

from __future__ import annotations

import os
import resource
import signal
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.testtoken import build_target

DEADLINE_SECONDS = 30.0
# Everything that was ever written to, also what is shared; not the files that are only mapped.
DUMP_FILTER = "0x7b"
PT_LOAD, PT_NOTE = 1, 4


def dumpable(*, all_memory: bool = False) -> dict[str, str]:
    """The environment in which a process stays dumpable; its protected memory too, if asked."""
    library = build_target("dumpable", "tests/dumpable.so")
    return {"LD_PRELOAD": str(library)} | ({"BN_DUMP_ALL": "1"} if all_memory else {})


@dataclass(frozen=True, slots=True)
class Core:
    """A process as the kernel wrote it down."""

    memory: bytes
    notes: bytes  # with the registers of its threads

    @classmethod
    def parse(cls, content: bytes) -> Core:
        """Read an ELF file of 64 bits."""
        assert content[:5] == b"\x7fELF\x02"
        (table,) = struct.unpack_from("=Q", content, 32)
        size, count = struct.unpack_from("=HH", content, 54)
        parts: dict[int, list[bytes]] = {PT_LOAD: [], PT_NOTE: []}
        for at in range(table, table + size * count, size):
            kind, _, offset, _, _, n_bytes = struct.unpack_from("=IIQQQQ", content, at)
            parts[kind].append(content[offset : offset + n_bytes])
        return cls(b"".join(parts[PT_LOAD]), b"".join(parts[PT_NOTE]))


def core_of(pid: int) -> Core | None:
    """Abort a process and read its core, if the kernel writes one.

    The process dies in a directory that is the test's own.
    """
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/")):
        pytest.skip(f"cores go elsewhere here: kernel.core_pattern is {pattern}")
    directory = Path(f"/proc/{pid}/cwd").readlink()
    resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    Path(f"/proc/{pid}/coredump_filter").write_text(DUMP_FILTER)
    os.kill(pid, signal.SIGABRT)
    end = time.monotonic() + DEADLINE_SECONDS
    while _lives(pid):
        assert time.monotonic() < end, "it does not die"
        time.sleep(0.01)
    # "core", or with the process's number.
    cores = [path for path in directory.glob("core*") if path.is_file()]
    if not cores:
        return None
    [core] = cores
    content = core.read_bytes()
    core.unlink()
    return Core.parse(content)


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
