# SPDX-License-Identifier: Apache-2.0
"""The consumer's side of a ring: slots of Base64 text in memory that a source process fills.

Made and used by one thread. Descriptors are close-on-exec; whoever starts a source passes `fd`,
`data_eventfd` and `space_eventfds` on to it.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

from bridge.native._native import ffi, lib
from bridge.native.fault import check, new_fault, read_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.native.errors import NativeError

SLOT_RAW_BYTES: int = lib.BN_SLOT_RAW_BYTES
SLOT_TEXT_BYTES: int = lib.BN_SLOT_TEXT_BYTES
READERS_MAX: int = lib.BN_READERS_MAX
POP_MAX = 256


class Phase(IntEnum):
    """What a source does (enum bn_phase of bn.h)."""

    EMPTY = 0
    STARTED = 1
    INITIALISING = 2
    SELECTING = 3
    LOGIN = 4  # announced before C_Login: a source that ends here has been refused
    OPENING = 5
    RUNNING = 6
    STOPPED = 7


_TESTS: Mapping[str, int] = {
    "poison": lib.BN_TEST_POISON,
    "repetition": lib.BN_TEST_REPETITION,
    "proportion": lib.BN_TEST_PROPORTION,
    "consecutive": lib.BN_TEST_CONSECUTIVE,
    "startup": lib.BN_TEST_STARTUP,
}


@dataclass(frozen=True, slots=True)
class ReaderView:
    """One reader thread of a source."""

    calls_begun: int
    calls_ended: int
    call_began_ns: int  # CLOCK_MONOTONIC, of the call that runs or ran last
    slowest_call_ns: int
    call_bytes: int  # of the call that runs or ran last
    active: bool


@dataclass(frozen=True, slots=True)
class RingView:
    """What a source says of itself, and popped_bytes and refused_entries, which the consumer knows.

    The source is not trusted: every number may be wrong, but each has its type and range. Bytes are
    raw and of this generation.
    """

    generation: int
    phase: Phase
    phases: int
    fault: NativeError | None  # why it is STOPPED; None when it was asked to
    generated_bytes: int
    published_bytes: int
    popped_bytes: int
    failed_bytes: int
    startup_bytes: int
    failures: Mapping[str, int]
    latched: bool
    errors: int
    refused_entries: int
    readers: tuple[ReaderView, ...]


def _fault_of(fault: Any) -> NativeError | None:
    return read_fault(fault) if fault.err else None


def _reader(view: Any) -> ReaderView:
    return ReaderView(
        calls_begun=view.calls_begun,
        calls_ended=view.calls_ended,
        call_began_ns=view.call_began_ns,
        slowest_call_ns=view.slowest_call_ns,
        call_bytes=view.call_bytes,
        active=bool(view.active),
    )


def _keeper(whole: memoryview) -> Callable[[object], None]:
    """Make what keeps the memory mapped for as long as it is referred to."""

    def keep(_text: object, _whole: memoryview = whole) -> None:
        """Do nothing: that it can be called is how cdata holds it."""

    return keep


class Ring:
    """A ring that this process made. close() it; views made by piece() may outlive that."""

    def __init__(
        self,
        fd: int,
        data_eventfd: int,
        space_eventfds: Sequence[int],
        n_slots: int,
        *,
        allow_unlocked: bool,
    ) -> None:
        """Use create(); the descriptors are the ring's if this succeeds."""
        n_readers = len(space_eventfds)
        self.fd = fd
        self.data_eventfd = data_eventfd
        self.space_eventfds = tuple(space_eventfds)
        self.n_slots = n_slots
        self.map = mmap.mmap(fd, lib.bn_ring_bytes(n_slots, n_readers))
        self._base: Any = ffi.from_buffer("char[]", self.map)
        self._entries: Any = ffi.new("struct bn_ring_entry[]", POP_MAX)
        self._entry_words = memoryview(ffi.buffer(self._entries)).cast("I")
        self._view: Any = ffi.new("struct bn_ring_view *")
        opened: Any = ffi.new("struct bn_ring_consumer **")
        fault = new_fault()
        err = lib.bn_ring_consumer_open(
            self._base,
            len(self.map),
            n_slots,
            n_readers,
            list(space_eventfds),
            allow_unlocked,
            opened,
            fault,
        )
        if err:
            self._unmap()
        check(err, fault)
        self._consumer: Any = opened[0]
        self._keep_mapped = _keeper(memoryview(self.map))
        first = lib.bn_ring_slot_offset(self._consumer, 0)
        self._offset: int = first

    @classmethod
    def create(cls, n_slots: int, n_readers: int, *, allow_unlocked: bool = False) -> Self:
        """Make a ring of `n_slots` x 16 KiB, parted among `n_readers`; NativeError if refused."""
        fault = new_fault()
        fd: int = lib.bn_ring_memfd(n_slots, n_readers, fault)
        if fd < 0:
            raise read_fault(fault)
        fds = [fd]
        try:
            for _ in range(1 + n_readers):
                fds.append(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))  # noqa: PERF401
            return cls(fd, fds[1], fds[2:], n_slots, allow_unlocked=allow_unlocked)
        except BaseException:
            for descriptor in fds:
                os.close(descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _open(self) -> Any:
        if self._consumer is None:
            raise ValueError("the ring is closed")
        return self._consumer

    def pop(self) -> list[tuple[int, int]]:
        """Take published slots, as (slot, text bytes); the caller holds them until release().

        At most POP_MAX of them; fewer are all that there were.
        """
        n = lib.bn_ring_pop_burst(self._open, self._entries, POP_MAX)
        words = self._entry_words[: 2 * n].tolist()
        return list(zip(words[::2], words[1::2], strict=True))

    def release(self, *slots: int) -> None:
        """Wipe held slots and give them back to the source, which is woken once at most."""
        if lib.bn_ring_release_burst(self._open, slots, len(slots)):
            raise ValueError(f"one of {slots} is a slot that is not held")

    def piece(self, slot: int, start: int, stop: int) -> tuple[memoryview, object]:
        """View `start` to `stop` of the text from a slot on, with what lives as long as the view.

        It may reach into the slots that follow. The owner is this piece's own, takes weak
        references (but no hash), and dies with the last view derived from the returned one: then
        nobody reads the slots through it any more.
        """
        if self._consumer is None or not (
            0 <= slot < self.n_slots
            and 0 <= start <= stop <= (self.n_slots - slot) * SLOT_TEXT_BYTES
        ):
            raise ValueError(f"no such piece: slot {slot}, {start} to {stop}")
        offset = self._offset + slot * SLOT_TEXT_BYTES + start
        # Not a buffer of from_buffer(): in a reference cycle, the collector crashes over that.
        text = ffi.gc(self._base + offset, self._keep_mapped)
        owner = ffi.buffer(text, stop - start)
        return memoryview(owner).toreadonly(), owner

    def arm(self) -> bool:
        """Ask for a wake-up on data_eventfd; True: there is something already, do not sleep."""
        return bool(lib.bn_ring_arm(self._open))

    def restart(self) -> None:
        """Begin the next generation; the source is dead and reaped, its slots are popped.

        What it published since is wiped. Held slots stay held.
        """
        lib.bn_ring_restart(self._open)

    def observe(self) -> RingView:
        """Look at the source. Takes no lock: numbers may be a moment apart."""
        view = self._view
        lib.bn_ring_observe(self._open, view)
        return RingView(
            generation=view.generation,
            phase=Phase(view.phase),
            phases=view.phases,
            fault=_fault_of(view.fault),
            generated_bytes=view.generated_bytes,
            published_bytes=view.published_bytes,
            popped_bytes=view.popped_bytes,
            failed_bytes=view.failed_bytes,
            startup_bytes=view.startup_bytes,
            failures={name: view.failures[test] for name, test in _TESTS.items()},
            latched=bool(view.latched),
            errors=view.errors,
            refused_entries=view.refused_entries,
            readers=tuple(_reader(view.readers[index]) for index in range(view.n_readers)),
        )

    def close(self) -> None:
        """Wipe every slot and close the descriptors; the memory goes with the last view of it."""
        if self._consumer is None:
            return
        lib.bn_ring_consumer_close(self._consumer)
        self._consumer = None
        del self._keep_mapped
        for descriptor in (self.fd, self.data_eventfd, *self.space_eventfds):
            os.close(descriptor)
        self._unmap()

    def _unmap(self) -> None:
        ffi.release(self._base)
        try:
            self.map.close()
        except BufferError:
            return  # somebody still holds a piece
