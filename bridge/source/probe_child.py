# SPDX-License-Identifier: Apache-2.0
"""The process that probes: `python -I -m bridge.source.probe_child`.

Takes one line of JSON on stdin and answers in lines: {"login": true} when it wants to call C_Login,
which it does after a second line, and {"login": false} after that; {"progress"} at every step, and
{"report"} or {"error", "exit"} in the end.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.hsm.selection import HsmError
from bridge.native.errors import Err, NativeError
from bridge.native.process import harden_process
from bridge.source.exits import Exit, exit_for, line_for
from bridge.source.loaded import loaded
from bridge.source.probe_plan import (
    LEAST_BYTES,
    find_limit,
    measure_all,
    sizes_up_to,
    try_odd_lengths,
)
from bridge.source.probe_report import ProbeReport
from bridge.source.stdio import Stdio

if TYPE_CHECKING:
    from bridge.native.probe import ProbedCall, ProbedCell
    from bridge.native.source import SourceHandle

CKR_USER_NOT_LOGGED_IN = 0x101
FOR_EVER_MS = -1


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of the module, to be measured."""

    handle: SourceHandle
    slot_id: int

    def call(self, n_bytes: int) -> ProbedCall:
        return self.handle.probe_call(self.slot_id, n_bytes)

    def measure(self, call_bytes: int, sessions: int, seconds: float) -> ProbedCell:
        return self.handle.probe(self.slot_id, call_bytes, sessions, seconds)


def _login_needed(token: _Token, pin_path: str | None, stdio: Stdio) -> bool:
    """Log in, but only if there are no bytes without: a PIN that is not sent cannot be refused."""
    without = token.call(LEAST_BYTES)
    if not without.ckr:
        return False
    if pin_path is not None:
        stdio.answer(login=True)
        if not stdio.permitted(FOR_EVER_MS):
            os._exit(1)  # nobody is there any more
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees to it, when this is over
        try:
            token.handle.login(token.slot_id, Path(pin_path))
        except NativeError as error:
            stdio.answer(login=False, error=line_for(error), exit=exit_for(error.err))
            raise
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        stdio.answer(login=False)
    elif without.ckr == CKR_USER_NOT_LOGGED_IN:
        raise HsmError("the token gives random bytes after a login only; give it a PIN (pin_file)")
    else:
        failure = NativeError(Err.ERR_CKR, ckr=without.ckr, where="C_GenerateRandom")
        raise HsmError(str(failure))
    return True


def _probe(order: dict[str, Any], stdio: Stdio) -> ProbeReport:
    module = Path(order["module"])
    with loaded(module, order["init_args"]) as handle:
        from bridge.hsm.control import Control  # noqa: PLC0415  # once it is known to load

        slot = Control(module).select(
            label=order["token_label"], serial=order["serial"], slot=order["slot"]
        )
        token = _Token(handle, slot.slot_id)
        login_needed = _login_needed(token, order["pin_path"], stdio)
        stdio.answer(progress=[0, 0, "looking for the longest call"])
        limit = find_limit(token)

        def progress(done: int, total: int, text: str) -> None:
            stdio.answer(progress=[done, total, text])

        cells = measure_all(token, sizes_up_to(limit.longest_bytes), order["seconds"], progress)
        stdio.answer(progress=[1, 1, "odd lengths"])
        last = max(cells, key=lambda cell: cell.call_bytes)
        lengths = tuple(try_odd_lengths(token, last.max_seconds / last.call_bytes))
        return ProbeReport(
            module=str(module),
            slot=slot.slot_id,
            token_label=slot.token.label if slot.token else "",
            serial=slot.token.serial if slot.token else "",
            model=slot.token.model if slot.token else "",
            login_needed=login_needed,
            limit=limit,
            cells=cells,
            lengths=lengths,
        )


def main() -> None:
    """Run the process; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stdio = Stdio()
    try:
        order = json.loads(stdio.read_line())
        harden_process(order["parent_pid"])
        stdio.answer(report=_probe(order, stdio).as_record())
    except Exception as error:  # noqa: BLE001  # nobody above to tell
        known = error.err if isinstance(error, NativeError) else None
        stdio.answer(error=line_for(error), exit=Exit.FAULT if known is None else exit_for(known))
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
