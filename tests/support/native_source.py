"""A ring and a source on it in one process, without the rooms above."""

from __future__ import annotations

import binascii
import os
import select
import time
from typing import TYPE_CHECKING, Self

from bridge.native.errors import NativeError
from bridge.native.ring import Phase, Ring, RingView
from bridge.native.source import SourceHandle
from tests.support.counting import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

DEADLINE_SECONDS = 30.0
CLOSE_MS = 10_000


class RingAndSource:
    """Both sides; takes what the source publishes, and gives slots back unless told otherwise."""

    def __init__(
        self,
        *,
        n_slots: int = 32,
        n_readers: int = 2,
        call_bytes: int = 0,
        ring: Ring | None = None,
    ) -> None:
        self.ring = ring or Ring.create(n_slots, n_readers, allow_unlocked=True)
        self.source = SourceHandle.open(
            ring_fd=self.ring.fd,
            n_slots=n_slots,
            n_readers=n_readers,
            data_eventfd=self.ring.data_eventfd,
            space_eventfds=self.ring.space_eventfds,
            call_bytes=call_bytes,
            allow_unlocked=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close(CLOSE_MS)
        self.ring.close()

    def run(self, module: Path, init_args: str | None = None, *, slot_id: int = 0) -> Self:
        self.source.load(module, init_args)
        self.source.start(slot_id)
        return self

    def view(self) -> RingView:
        return self.ring.observe()

    def pop(self, *, release: bool = True) -> list[bytes]:
        """Take what is there, decoded, slot by slot."""
        slots = []
        for slot, text_bytes in self.ring.pop():
            text, _ = self.ring.piece(slot, 0, text_bytes)
            slots.append(binascii.a2b_base64(text, strict_mode=True))
            del text
            if release:
                self.ring.release(slot)
        return slots

    def read(self, n_bytes: int, *, release: bool = True) -> list[bytes]:
        """Take slots until they hold this many bytes."""
        slots: list[bytes] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while sum(map(len, slots)) < n_bytes:
            assert time.monotonic() < deadline, self.view()
            if not self.ring.arm() and not self._woken():
                self.source.wait(0)
            slots += self.pop(release=release)
        return slots

    def read_until(self, condition: Callable[[], bool]) -> list[bytes]:
        """Take slots, so that no reader waits for space, until the condition holds."""
        slots: list[bytes] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.view()
            slots += self.pop()
            time.sleep(0.001)
        return slots

    def read_to_the_end(self) -> list[bytes]:
        """Stop the source and take what is left."""
        self.source.close(CLOSE_MS)
        assert self.view().phase is Phase.STOPPED
        slots: list[bytes] = []
        while more := self.pop():
            slots += more
        return slots

    def _woken(self) -> bool:
        if not select.select([self.ring.data_eventfd], [], [], 0.5)[0]:
            return False
        os.eventfd_read(self.ring.data_eventfd)
        return True


def proved_bytes(slots: Iterable[bytes]) -> int:
    """Prove every byte to be the test token's, unaltered, and to have come once; counts them."""
    ledger = Ledger()
    for slot in slots:  # of several readers: no one stream
        ledger.add("consumer", slot)
    return ledger.verify().n_bytes


def ended_by(both: RingAndSource, slots: list[bytes]) -> NativeError:
    """Take slots until the source has ended by itself; returns why."""
    while True:
        slots += both.pop()
        try:
            both.source.wait(5)
        except NativeError as error:
            return error
