# SPDX-License-Identifier: Apache-2.0
"""The source process: `python -I -m bridge.source.child`, for the supervisor only.

Loads one module, selects its token, logs in, and lets native threads fill the ring until the
parent closes stdin, SIGTERM comes, or the threads end. Whatever happens is told in one line and an
exit code.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.hsm.selection import HsmError, TokenAbsent, TokenAmbiguous
from bridge.native.errors import Err, NativeError
from bridge.native.process import harden_process
from bridge.native.ring import Phase
from bridge.native.source import SourceHandle
from bridge.source.exits import Exit, exit_for, line_for
from bridge.source.order import Order
from bridge.source.stdio import Stdio

if TYPE_CHECKING:
    from types import FrameType

LOOK_MS = 200
CLOSE_MS = 2000


class _Terminated:
    """Set by SIGTERM."""

    def __init__(self) -> None:
        self.now = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.now = True


def _serve(order: Order, handle: SourceHandle, stdio: Stdio) -> None:
    terminated = _Terminated()
    module = Path(order.module)
    handle.load(module, order.init_args)
    handle.report(Phase.SELECTING)
    # Late, for python-pkcs11 is only good for a module that loads.
    from bridge.hsm.control import Control  # noqa: PLC0415

    slot = Control(module).select(label=order.token_label, serial=order.serial, slot=order.slot)
    if slot.token is not None:
        stdio.answer(
            slot=slot.slot_id,
            label=slot.token.label,
            serial=slot.token.serial,
            model=slot.token.model,
            manufacturer=slot.token.manufacturer,
        )
    if order.pin_path is not None:
        stdio.answer(login=True)
        while (permitted := stdio.permitted(LOOK_MS)) is None and not terminated.now:
            pass
        if not permitted:
            return
        handle.login(slot.slot_id, Path(order.pin_path))
        stdio.answer(login=False)  # at once: until the parent knows, to kill it would be a refusal
    handle.start(slot.slot_id)
    while not terminated.now and stdio.parent_waits(LOOK_MS):
        handle.wait(0)


def _exit_for(error: Exception) -> Exit:
    match error:
        case NativeError():
            return exit_for(error.err)
        case TokenAbsent():
            return Exit.TOKEN_ABSENT
        case TokenAmbiguous():
            return Exit.TOKEN_AMBIGUOUS
        case HsmError():
            return Exit.FAULT
        case _:
            return Exit.CRASHED


def _run(stdio: Stdio) -> Exit:
    line = stdio.read_line()
    if not line:
        return Exit.ORDER
    try:
        order = Order.parse(line)
    except (ValueError, TypeError, KeyError):
        return Exit.ORDER
    handle: SourceHandle | None = None
    ending = Exit.STOPPED
    try:
        harden_process(order.parent_pid)
        handle = SourceHandle.open(
            ring_fd=order.ring_fd,
            n_slots=order.n_slots,
            n_readers=order.n_readers,
            data_eventfd=order.data_eventfd,
            space_eventfds=order.space_eventfds,
            call_bytes=order.call_bytes,
            publish_after_ms=order.publish_after_ms,
            allow_unlocked=order.allow_unlocked,
        )
        _serve(order, handle, stdio)
    except Exception as error:  # noqa: BLE001  # nobody above to tell
        ending = _exit_for(error)
        stdio.answer(error=line_for(error), exit=ending)
        if handle is not None and not isinstance(error, NativeError):
            handle.report(Phase.STOPPED, NativeError(Err.ERR_TOKEN, text=line_for(error)))
    if handle is not None:
        with suppress(NativeError):
            handle.close(CLOSE_MS)
    return ending


def main() -> None:
    """Run the source process; does not return."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Without the interpreter's own end: destructors of a vendor's module crash and hang.
    os._exit(_run(Stdio()))


if __name__ == "__main__":
    main()
