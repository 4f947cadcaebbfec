"""Another process's memory as root sees it: what stands in it, and how each part is protected."""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.blocks import find

HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)")
READ_BYTES = 16 << 20
TEXT = re.compile(rb"[A-Za-z0-9+/]{24,}")


@dataclass(frozen=True, slots=True)
class Area:
    start: int
    stop: int
    access: str
    name: str  # "" is anonymous
    flags: frozenset[str]  # VmFlags of /proc/PID/smaps: lo is locked, dd left out of dumps


def areas(pid: int) -> list[Area]:
    """Give the mappings of a process."""
    found = []
    head = None
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if match := HEAD.fullmatch(line):
            head = match
        elif line.startswith("VmFlags:") and head is not None:
            start, stop, access, name = head.groups()
            flags = frozenset(line.split()[1:])
            found.append(Area(int(start, 16), int(stop, 16), access, name, flags))
    return found


def contents(pid: int) -> Iterator[tuple[Area, bytes]]:
    """Read all that can be written to, area by area; a large area comes in overlapping parts."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for area in areas(pid):
            if not area.access.startswith("rw"):
                continue
            for start in range(area.start, area.stop, READ_BYTES):
                try:
                    memory.seek(start)
                    yield area, memory.read(min(READ_BYTES + 64, area.stop - start))
                except OSError:
                    break  # not there to be read, such as beyond a file's end


def counter_blocks(pid: int) -> dict[Area, set[int]]:
    """Find the test token's blocks, raw, by area."""
    where: dict[Area, set[int]] = {}
    for area, content in contents(pid):
        if content.strip(b"\0"):
            _, counters = find(content)
            if len(counters):
                where.setdefault(area, set()).update(counters.tolist())
    return where


def occurrences(pid: int, needle: bytes) -> list[Area]:
    """Find bytes; an area for each time that they are there."""
    return [area for area, content in contents(pid) for _ in range(content.count(needle))]


def text_blocks(pid: int) -> dict[Area, set[int]]:
    """Find the test token's blocks as Base64, by area."""
    where: dict[Area, set[int]] = {}
    for area, content in contents(pid):
        for match in TEXT.finditer(content):
            run = match[0]
            for phase in range(4):
                stop = phase + (len(run) - phase) // 4 * 4
                _, counters = find(binascii.a2b_base64(run[phase:stop]))
                if len(counters):
                    where.setdefault(area, set()).update(counters.tolist())
    return where
