"""For which kind of processor a library was built, as far as its ELF header says."""

import struct
from pathlib import Path

_THIS_PROCESS = Path("/proc/self/exe")
_HEADER = struct.Struct("<4sBBB9xHH")  # magic, class, byte order, version; type, machine
_BITS = {1: "32 bits", 2: "64 bits"}
_MACHINES = {3: "x86", 21: "POWER", 22: "S/390", 40: "ARM", 62: "x86-64", 183: "AArch64"}


def other_processor(library: Path) -> str:
    """Say for what a library was built that this process cannot load; empty: for the same.

    The dynamic loader says of such a file that it does not exist. What has no whole header is
    left to the loader, whose word on it is clear.
    """
    theirs, ours = _built_for(library), _built_for(_THIS_PROCESS)
    if theirs is None or ours is None or theirs == ours:
        return ""
    return f"is built for {_named(theirs)}, and this Python for {_named(ours)}"


def _built_for(path: Path) -> tuple[int, int] | None:
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
    except OSError:
        return None
    if len(header) < _HEADER.size or not header.startswith(b"\x7fELF"):
        return None
    _, bits, order, _, _, machine = _HEADER.unpack(header)
    if order == 2:  # most significant byte first
        machine = int.from_bytes(machine.to_bytes(2, "little"), "big")
    return bits, machine


def _named(built_for: tuple[int, int]) -> str:
    bits, machine = built_for
    return f"{_MACHINES.get(machine, f'machine {machine}')} ({_BITS.get(bits, 'no class')})"
