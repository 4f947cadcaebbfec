# SPDX-License-Identifier: Apache-2.0
"""What the end of a source process means: try again, or never again."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from bridge.native.errors import Err
from bridge.native.ring import Phase
from bridge.source.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.native.ring import RingView


class Cause(Enum):
    """What kind of end it was."""

    FAILED = auto()  # start another, after a while
    MISCONFIGURED = auto()  # waiting mends nothing
    REFUSED = auto()  # the PIN; never again
    HEALTH = auto()  # an output test latched; not before somebody wants it


@dataclass(frozen=True, slots=True)
class Ending:
    """How a source ended, and in one line why."""

    cause: Cause
    reason: str


_NO_ANSWERS: Mapping[str, object] = {}
_MISCONFIGURED = frozenset({Exit.MODULE, Exit.TOKEN_AMBIGUOUS, Exit.PIN_FILE, Exit.MEMORY})


def judge(
    returncode: int | None,
    view: RingView,
    *,
    killed_for: str | None = None,
    answers: Mapping[str, object] = _NO_ANSWERS,
) -> Ending:
    """Judge by the return code (None: not reaped), the ring's header and the source's own words.

    `killed_for` says why the supervisor killed it, if it did. What the source has told stands, even
    if it then crashed or hung in the module on its way out.
    """
    end = killed_for or died(returncode)
    if view.phase == Phase.LOGIN:
        return Ending(Cause.REFUSED, f"the source {end}, in the middle of C_Login")
    told = answers.get("error")
    code = answers.get("exit", returncode)
    reason = str(told or view.fault or f"the source {end}")
    if code == Exit.PIN_REFUSED or _fault_err(view) == Err.ERR_PIN_REFUSED:
        return Ending(Cause.REFUSED, reason)
    if code == Exit.HEALTH or view.latched or _fault_err(view) == Err.ERR_HEALTH:
        return Ending(Cause.HEALTH, reason)
    if killed_for is not None and not told:
        return Ending(Cause.FAILED, f"the source {killed_for}")
    if code in _MISCONFIGURED:
        return Ending(Cause.MISCONFIGURED, reason)
    return Ending(Cause.FAILED, reason)


def _fault_err(view: RingView) -> Err | None:
    return view.fault.err if view.fault is not None else None


def died(returncode: int | None) -> str:
    """Say how a process ended, after the word for it."""
    if returncode is None:
        return "cannot be killed"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}"
