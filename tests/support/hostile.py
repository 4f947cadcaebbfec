"""A producer that keeps no rule: a process with a ring's descriptors and orders on its stdin.

`publish SLOT TEXT_BYTES` puts an entry into lane 0, whatever it says; `write SLOT BYTE` fills a
slot; `scribble WORDS` overwrites header, lanes and index rings with anything, again and again;
`resize` tries to change the file. Each is answered by a line. Offsets are those of
native/src/ring/layout.h.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import random
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from bridge.native.ring import Ring

LANE = 4096  # the first
FILLED = LANE + 320
WORDS_AT_ONCE = 64
F_ADD_SEALS = 1033
F_SEAL_WRITE = 8
SLOT_TEXT_BYTES = 16384


class HostileProducer:
    """`with HostileProducer(ring) as producer:`; it is gone and reaped afterwards."""

    def __init__(self, ring: Ring) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, __file__, str(ring.fd), str(ring.data_eventfd)),
                *(str(len(ring.map)), str(ring.n_slots)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(ring.fd, ring.data_eventfd),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End and reap it."""
        self._process.kill()
        self._process.communicate()

    def begin(self, *words: object) -> None:
        """Give an order."""
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """Wait for the answer to the order that runs."""
        answer = self._process.stdout.readline().strip()
        assert answer, "the producer has died"
        return answer

    def order(self, *words: object) -> str:
        """Give an order and wait for the answer."""
        self.begin(*words)
        return self.end()


# ---- in the process -----------------------------------------------------------------------------


def _attempt(operation: object, *arguments: object) -> str:
    try:
        operation(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


class _Producer:
    def __init__(self, fd: int, data_eventfd: int, map_bytes: int, n_slots: int) -> None:
        self._fd = fd
        self._data_eventfd = data_eventfd
        self._map = mmap.mmap(fd, map_bytes)
        self._n_slots = n_slots
        self._arena = map_bytes - n_slots * SLOT_TEXT_BYTES
        self._n_entries = 1 << (n_slots - 1).bit_length()
        self._random = random.Random(7)

    def publish(self, slot: str, text_bytes: str) -> str:
        (head,) = struct.unpack_from("=Q", self._map, LANE)
        at = FILLED + head % self._n_entries * 8
        struct.pack_into("=Q", self._map, at, int(slot) | int(text_bytes) << 32)
        struct.pack_into("=Q", self._map, LANE, head + 1)
        os.eventfd_write(self._data_eventfd, 1)
        return "published"

    def write(self, slot: str, byte: str) -> str:
        at = self._arena + int(slot) * SLOT_TEXT_BYTES
        self._map[at : at + SLOT_TEXT_BYTES] = byte.encode() * SLOT_TEXT_BYTES
        return "written"

    def resize(self) -> str:
        size = os.fstat(self._fd).st_size
        return " ".join(
            (
                _attempt(os.ftruncate, self._fd, 0),
                _attempt(os.ftruncate, self._fd, size - 4096),
                _attempt(os.ftruncate, self._fd, size + 4096),
                _attempt(fcntl.fcntl, self._fd, F_ADD_SEALS, F_SEAL_WRITE),
            )
        )

    def scribble(self, n_words: str) -> str:
        for _ in range(int(n_words) // WORDS_AT_ONCE):
            for _ in range(WORDS_AT_ONCE):
                at = self._random.randrange(0, self._arena, 8)
                if self._random.random() < 0.5:  # where it hurts: heads and entries
                    at = LANE + 8 * self._random.choice((0, 8, *range(40, 40 + self._n_entries)))
                struct.pack_into("=Q", self._map, at, self._garbage())
            os.eventfd_write(self._data_eventfd, 1)
        return "scribbled"

    def _garbage(self) -> int:
        match self._random.randrange(4):
            case 0:  # an entry, or nearly one
                slot = self._random.randrange(self._n_slots + 1)
                return slot | self._random.choice((4, 8192, 16384, 16388, 0)) << 32
            case 1:  # a head that may be
                (head,) = struct.unpack_from("=Q", self._map, LANE)
                return (head + self._random.randrange(-1, self._n_slots + 2)) % 2**64
            case _:
                return self._random.getrandbits(64)


def main() -> None:
    producer = _Producer(*map(int, sys.argv[1:]))
    for line in sys.stdin:
        name, *words = line.split()
        print(getattr(producer, name)(*words), flush=True)


if __name__ == "__main__":
    main()
