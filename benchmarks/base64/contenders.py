"""What is compared: each contender encodes the same bytes into the same place, so many times.

Own kernels, memcpy and peers are called from a loop in C; what Python programs call, from a loop
in Python. The bare cffi call has its buffers at hand, as a caller has who uses them again;
base64_encode_into is given memoryviews, whose memory it has to ask for each time, or bytes (which
lie where Python puts them) and a memoryview.
"""

from __future__ import annotations

import binascii
import ctypes
import mmap
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import pybase64

from bridge.native import _native, base64_encode_into, base64_kernels
from bridge.native._native import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPILER = ("cc", "-O2", "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared")
MEMCPY = "memcpy"
ENCODE_INTO = "base64_encode_into"
ENCODE_BYTES = "base64_encode_into of bytes"
BARE_CALL = "bare cffi call"
OF_OTHERS = ("pybase64", "binascii")  # into memory of their own

# So many times; returns nanoseconds for all of them.
Timed = Callable[[int], int]


class Area:
    """Memory of its own, on whole pages, and every page there."""

    def __init__(self, n_bytes: int) -> None:
        self.map = mmap.mmap(-1, n_bytes)
        self.map.write(b"\x5a" * n_bytes)
        self._held = ctypes.c_char.from_buffer(self.map)
        self.address = ctypes.addressof(self._held)
        self.view = memoryview(self.map)


@dataclass(frozen=True)
class Place:
    """Where all of them read and write: page-aligned, hence aligned as a slot of the ring is."""

    raw: Area
    text: Area
    other: Area  # what memcpy copies

    @classmethod
    def of(cls, raw_bytes: int, content: bytes) -> Place:
        raw, text, other = Area(raw_bytes), Area(text_bytes(raw_bytes)), Area(text_bytes(raw_bytes))
        raw.view[:] = content[:raw_bytes]
        return cls(raw, text, other)


def text_bytes(raw_bytes: int) -> int:
    return (raw_bytes + 2) // 3 * 4


class Loops:
    """The loops in C, and the library as it is installed."""

    def __init__(self, loops: Path, peers: Mapping[str, Path]) -> None:
        self._loops = ctypes.CDLL(str(loops))
        for name in ("time_own", "time_peer", "time_copy"):
            getattr(self._loops, name).restype = ctypes.c_uint64
        self._own = ctypes.cast(ctypes.CDLL(_native.__file__).bn_base64_encode, ctypes.c_void_p)
        self._peers = {
            name: ctypes.cast(ctypes.CDLL(str(path)).encode, ctypes.c_void_p)
            for name, path in peers.items()
        }

    def contenders(self, place: Place) -> dict[str, Timed]:
        """All of them by name, on one place."""
        raw, text = (ctypes.c_void_p(area.address) for area in (place.raw, place.text))
        other = ctypes.c_void_p(place.other.address)
        raw_bytes, n_text = (ctypes.c_size_t(len(area.map)) for area in (place.raw, place.text))
        loops = self._loops

        def own(kernel: int) -> Timed:
            return lambda n: loops.time_own(
                self._own, kernel, raw, raw_bytes, text, ctypes.c_size_t(n)
            )

        def peer(encode: ctypes.c_void_p) -> Timed:
            return lambda n: loops.time_peer(encode, raw, raw_bytes, text, ctypes.c_size_t(n))

        kernels = base64_kernels(compiled=True)
        found: dict[str, Timed] = {
            MEMCPY: lambda n: loops.time_copy(other, n_text, text, ctypes.c_size_t(n))
        }
        found |= {name: own(kernels.index(name)) for name in base64_kernels()}
        found |= {name: peer(encode) for name, encode in self._peers.items()}
        view = place.raw.view
        held = bytes(view)
        ready = (ffi.from_buffer("uint8_t[]", view), len(view), ffi.from_buffer(place.text.view))
        best = lib.bn_base64_kernel_best()
        return found | {
            ENCODE_INTO: lambda n: _time_in_python(n, base64_encode_into, view, place.text.view),
            ENCODE_BYTES: lambda n: _time_in_python(n, base64_encode_into, held, place.text.view),
            BARE_CALL: lambda n: _time_in_python(n, lib.bn_base64_encode, best, *ready),
            "pybase64": lambda n: _time_in_python(n, pybase64.b64encode, view),
            "binascii": lambda n: _time_in_python(n, binascii.b2a_base64, view),
        }


def _time_in_python(n: int, call: Callable[..., object], *arguments: object) -> int:
    began = time.perf_counter_ns()
    for _ in repeat(None, n):
        call(*arguments)
    return time.perf_counter_ns() - began


def compiled_by() -> str:
    """Name the compiler of the library, which says so itself."""
    found = re.search(rb"GCC: [^\0]+|clang version [^\0]+", Path(_native.__file__).read_bytes())
    return found.group().decode() if found else "unknown compiler"


@contextmanager
def built() -> Iterator[Path]:
    """Build the loops in a directory of their own."""
    with tempfile.TemporaryDirectory(prefix="base64-") as name:
        path = Path(name, "loop.so")
        source = Path(__file__).with_name("loop.c")
        subprocess.run([*COMPILER, "-o", path, source], check=True)
        yield path
