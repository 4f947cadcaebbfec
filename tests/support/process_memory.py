"""Another process's memory as root sees it: what stands in it, and how each part is protected."""

import binascii
import re
from collections.abc import Callable, Iterator
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


def raw_counters(content: bytes) -> set[int]:
    """Find the test token's blocks, raw."""
    if not content.strip(b"\0"):
        return set()
    return set(find(content)[1].tolist())


def text_counters(content: bytes) -> set[int]:
    """Find the test token's blocks as Base64, however the text is cut."""
    runs = [match[0] for match in TEXT.finditer(content)]
    found: set[int] = set()
    for phase in range(4):
        # All in one go: where two meet no block comes about, but for one chance in 2**64.
        raw = b"".join(
            binascii.a2b_base64(run[phase : phase + (len(run) - phase) // 4 * 4]) for run in runs
        )
        found |= raw_counters(raw)
    return found


def counter_blocks(pid: int) -> dict[Area, set[int]]:
    """Find the test token's blocks, raw, by area."""
    return _by_area(pid, raw_counters)


def text_blocks(pid: int) -> dict[Area, set[int]]:
    """Find the test token's blocks as Base64, by area."""
    return _by_area(pid, text_counters)


def occurrences(pid: int, needle: bytes) -> list[Area]:
    """Find bytes; an area for each time that they are there."""
    return [area for area, content in contents(pid) for _ in range(content.count(needle))]


def _by_area(pid: int, counters: Callable[[bytes], set[int]]) -> dict[Area, set[int]]:
    where: dict[Area, set[int]] = {}
    for area, content in contents(pid):
        if found := counters(content):
            where.setdefault(area, set()).update(found)
    return where
