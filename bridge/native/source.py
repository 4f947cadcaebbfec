# SPDX-License-Identifier: Apache-2.0
"""A PKCS#11 module's random bytes into a ring, by native threads; for the source process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from bridge.native._native import ffi, lib
from bridge.native.errors import Err, NativeError
from bridge.native.fault import check, new_fault, write_fault
from bridge.native.probe import ProbedCall, ProbedCell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.native.ring import Phase


class SourceHandle:
    """A source. open, load, login and start are called in this order, each once, by one thread.

    Each of them raises NativeError and has then told the ring's header why. The calls block for as
    long as the module does; the GIL is released.
    """

    def __init__(self, source: Any) -> None:
        """Use open()."""
        self._source = source

    @classmethod
    def open(
        cls,
        *,
        ring_fd: int,
        n_slots: int,
        n_readers: int,
        data_eventfd: int,
        space_eventfds: Sequence[int],
        call_bytes: int = 0,
        publish_after_ms: int = 200,
        allow_unlocked: bool = False,
    ) -> Self:
        """Attach to a ring, whose descriptors stay the caller's and stay open.

        `call_bytes` of 0 is found while the source runs.
        """
        config: Any = ffi.new("struct bn_source_config *")
        config.ring_fd = ring_fd
        config.n_slots = n_slots
        config.n_readers = n_readers
        config.data_eventfd = data_eventfd
        config.space_eventfds = list(space_eventfds)
        config.call_bytes = call_bytes
        config.publish_after_ms = publish_after_ms
        config.allow_unlocked = allow_unlocked
        opened: Any = ffi.new("struct bn_source **")
        fault = new_fault()
        check(lib.bn_source_open(config, opened, fault), fault)
        return cls(opened[0])

    @property
    def _open(self) -> Any:
        if self._source is None:
            raise ValueError("the source is closed")
        return self._source

    def load(self, module: Path, init_args: str | None = None) -> None:
        """Load and initialise the module, for several threads if it can lock."""
        fault = new_fault()
        args = ffi.NULL if init_args is None else init_args.encode()
        check(lib.bn_source_load(self._open, os.fsencode(module), args, fault), fault)

    def login(self, slot_id: int, pin_path: Path) -> None:
        """Log in with the PIN in that file, which is never tried again once it was refused."""
        fault = new_fault()
        check(lib.bn_source_login(self._open, slot_id, os.fsencode(pin_path), fault), fault)

    def probe_call(self, slot_id: int, n_bytes: int) -> ProbedCall:
        """Ask for `n_bytes` once; instead of start, as is probe."""
        seen: Any = ffi.new("struct bn_probe_call *")
        fault = new_fault()
        check(lib.bn_source_probe_call(self._open, slot_id, n_bytes, seen, fault), fault)
        return ProbedCall(
            length_bytes=n_bytes,
            ckr=seen.ckr,
            seconds=seen.elapsed_ns / 1e9,
            unwritten=bool(seen.unwritten),
            spilled=bool(seen.spilled),
        )

    def probe(self, slot_id: int, call_bytes: int, sessions: int, seconds: float) -> ProbedCell:
        """Ask for `call_bytes` again and again in that many sessions at a time."""
        seen: Any = ffi.new("struct bn_probe_cell *")
        fault = new_fault()
        duration_ms = round(seconds * 1000)
        check(
            lib.bn_source_probe(
                self._open, slot_id, call_bytes, sessions, duration_ms, seen, fault
            ),
            fault,
        )
        return ProbedCell(
            call_bytes=call_bytes,
            sessions=seen.n_sessions,
            calls=seen.calls,
            seconds=seen.elapsed_ns / 1e9,
            ckr=seen.ckr,
            p50_seconds=seen.p50_ns / 1e9,
            p90_seconds=seen.p90_ns / 1e9,
            p99_seconds=seen.p99_ns / 1e9,
            max_seconds=seen.max_ns / 1e9,
        )

    def start(self, slot_id: int) -> None:
        """Let the readers run."""
        fault = new_fault()
        check(lib.bn_source_start(self._open, slot_id, fault), fault)

    def wait(self, timeout_ms: int) -> None:
        """Wait for that long (-1: for ever), or until a reader has ended: then raise why."""
        fault = new_fault()
        check(lib.bn_source_wait(self._open, timeout_ms, fault), fault)

    def report(self, phase: Phase, error: NativeError | None = None) -> None:
        """Tell the ring's header what the control plane does, or why it ends."""
        fault: Any = ffi.NULL
        if error is not None:
            fault = new_fault()
            write_fault(fault, error)
        lib.bn_source_report(self._open, phase, fault)

    def close(self, timeout_ms: int) -> None:
        """Stop the readers, wipe and finalise; NativeError if one hangs: then only exit is left."""
        if self._source is None:
            return
        source, self._source = self._source, None
        if lib.bn_source_close(source, timeout_ms):
            raise NativeError(Err.ERR_SYSTEM, where="close", text="a reader hangs in the module")
