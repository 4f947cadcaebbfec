"""One way of reading a token, in a process of its own: seconds on each line of stdin, and what came
in them on each of stdout.

The ways: `bare`, C_GenerateRandom in a loop in C; `source`, the source with a consumer that takes
every slot and gives it back, wiped; `source alone`, with one that gives it back as it is; `python`,
generate_random of python-pkcs11 in a loop.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bridge.hsm.control import Control
from bridge.native.ring import READERS_MAX, SLOT_RAW_BYTES, Ring
from bridge.native.source import SourceHandle

if TYPE_CHECKING:
    from collections.abc import Callable

RING_BYTES = 2 << 20  # the default reserve
SLOT_TEXT_BYTES = SLOT_RAW_BYTES // 3 * 4
PATIENCE_SECONDS = 60.0
# A feeder has other things to do between two looks: a request takes longer than this.
TURN_SECONDS = 0.0001
# A consumer that is to take nothing looks seldom, and the reserve lasts for longer than that.
ALONE_TURN_SECONDS = 0.0005
ALONE_RING_BYTES = 8 << 20


@dataclass(frozen=True)
class Reading:
    """What to read: a token, so many bytes per call, in so many sessions."""

    module: str
    call_bytes: int
    sessions: int
    label: str | None = None
    slot: int | None = None
    init_args: str | None = None
    recycler: str | None = None  # recycle.c as a library, for `source alone`


class Way(Protocol):
    def turn(self, seconds: float) -> tuple[int, float]:
        """Read for about that long; returns raw bytes, and the seconds that they took."""


class _Loaded:
    """The module, loaded and initialised by the native library, beside a ring."""

    ring_bytes = RING_BYTES

    def __init__(self, reading: Reading) -> None:
        n_slots = self.ring_bytes // SLOT_TEXT_BYTES
        self.ring = Ring.create(n_slots, reading.sessions, allow_unlocked=True)
        self.handle = SourceHandle.open(
            ring_fd=self.ring.fd,
            n_slots=n_slots,
            n_readers=reading.sessions,
            data_eventfd=self.ring.data_eventfd,
            space_eventfds=self.ring.space_eventfds,
            call_bytes=reading.call_bytes,
            allow_unlocked=True,
        )
        module = Path(reading.module)
        self.handle.load(module, reading.init_args)
        slot = Control(module).select(label=reading.label, serial=None, slot=reading.slot)
        self.slot_id = slot.slot_id


class Bare(_Loaded):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._reading = reading

    def turn(self, seconds: float) -> tuple[int, float]:
        reading = self._reading
        cell = self.handle.probe(self.slot_id, reading.call_bytes, reading.sessions, seconds)
        if cell.ckr or cell.sessions != reading.sessions:
            raise RuntimeError(f"the token does not go along: {cell}")
        return cell.calls * cell.call_bytes, cell.seconds


class Source(_Loaded):
    """Between turns nobody takes, so that the ring fills and the readers sleep."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.handle.start(self.slot_id)

    def turn(self, seconds: float) -> tuple[int, float]:
        """Measure from one arrival to another, once what had been there is gone."""
        self._discard()
        self._take()
        began = now = time.perf_counter()
        n_bytes = 0
        while now - began < seconds:
            time.sleep(TURN_SECONDS)
            n_bytes += self._take()
            now = time.perf_counter()
        return n_bytes, now - began

    def _discard(self) -> None:
        until = time.perf_counter() + 0.05
        while self._release() and time.perf_counter() < until:
            pass

    def _take(self) -> int:
        """Wait for slots; returns their raw bytes."""
        ring = self.ring
        while not (n_bytes := self._release()):
            if not ring.arm():
                if not select.select([ring.data_eventfd], [], [], PATIENCE_SECONDS)[0]:
                    raise RuntimeError(f"nothing arrives: {ring.observe()}")
                os.eventfd_read(ring.data_eventfd)
        return n_bytes

    def _release(self) -> int:
        popped = self.ring.pop()
        if popped:
            self.ring.release(*(slot for slot, _ in popped))
        return sum(text_bytes for _, text_bytes in popped) // 4 * 3


class _Recycler(ctypes.Structure):
    """struct recycler of recycle.c."""

    _fields_ = (
        ("map", ctypes.c_void_p),
        ("n_slots", ctypes.c_uint32),
        ("n_readers", ctypes.c_uint32),
        ("space_eventfds", ctypes.c_int32 * READERS_MAX),
        ("taken", ctypes.c_uint64 * READERS_MAX),
    )


class SourceAlone(_Loaded):
    """Nobody reads or wipes what it publishes."""

    ring_bytes = ALONE_RING_BYTES

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        assert reading.recycler is not None
        self._recycle = ctypes.CDLL(reading.recycler).recycle
        self._recycle.restype = ctypes.c_uint64
        self._held = ctypes.c_char.from_buffer(self.ring.map)
        self._state = _Recycler(
            ctypes.addressof(self._held), self.ring.n_slots, len(self.ring.space_eventfds)
        )
        self._state.space_eventfds[: reading.sessions] = self.ring.space_eventfds
        self.handle.start(self.slot_id)

    def turn(self, seconds: float) -> tuple[int, float]:
        took_ns = ctypes.c_uint64()
        n_bytes = self._recycle(
            ctypes.byref(self._state),
            ctypes.c_uint64(round(seconds * 1e9)),
            ctypes.c_uint64(round(ALONE_TURN_SECONDS * 1e9)),
            ctypes.byref(took_ns),
        )
        return n_bytes, took_ns.value / 1e9


class SlowSource(Source):
    """For a token that fills a slot in many calls: what passed the tests is counted, by calls.

    All of it but a slot for each reader is published.
    """

    def turn(self, seconds: float) -> tuple[int, float]:
        before = self._next_call()
        began = now = time.perf_counter()
        while now - began < seconds:
            self._release()
            time.sleep(TURN_SECONDS)
            now = time.perf_counter()
        after = self._next_call()
        return after - before, time.perf_counter() - began

    def _next_call(self) -> int:
        """Wait for the end of a call; returns the raw bytes that passed so far."""
        before = self._passed()
        while (after := self._passed()) == before:
            self._release()
            time.sleep(TURN_SECONDS)
        return after

    def _passed(self) -> int:
        view = self.ring.observe()
        return view.generated_bytes - view.failed_bytes - view.startup_bytes


class Python:
    def __init__(self, reading: Reading) -> None:
        import pkcs11  # noqa: PLC0415 - each worker loads what it measures and nothing else

        tokens = pkcs11.lib(reading.module).get_tokens(token_label=reading.label)
        self._session = next(iter(tokens)).open()
        self._call_bytes = reading.call_bytes

    def turn(self, seconds: float) -> tuple[int, float]:
        generate, n_bits = self._session.generate_random, self._call_bytes * 8
        n_calls = 0
        began = now = time.perf_counter()
        while now - began < seconds:
            for _ in range(8):
                generate(n_bits)
            n_calls += 8
            now = time.perf_counter()
        return n_calls * self._call_bytes, now - began


WAYS: dict[str, Callable[[Reading], Way]] = {
    "bare": Bare,
    "source": Source,
    "source alone": SourceAlone,
    "slow source": SlowSource,
    "python": Python,
}


def order(way: str, reading: Reading) -> list[str]:
    """Return the command that reads this way."""
    return [sys.executable, "-m", "benchmarks.source.worker", way, json.dumps(asdict(reading))]


def main() -> None:
    name, reading = sys.argv[1:]
    way = WAYS[name](Reading(**json.loads(reading)))
    for line in sys.stdin:  # between two turns nothing else is to run
        process, thread = time.process_time(), time.thread_time()
        n_bytes, seconds = way.turn(float(line))
        process, thread = time.process_time() - process, time.thread_time() - thread
        print(json.dumps([n_bytes, seconds, process - thread, thread]), flush=True)
    os._exit(0)  # destructors of modules crash and hang


if __name__ == "__main__":
    main()
