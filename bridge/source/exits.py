# SPDX-License-Identifier: Apache-2.0
"""How a source process ends: its exit codes, told to nobody but the supervisor."""

from __future__ import annotations

from enum import IntEnum

from bridge.native.errors import Err, NativeError


class Exit(IntEnum):
    """Exit codes; 1 and 2 are Python's own."""

    STOPPED = 0  # asked to
    CRASHED = 1  # an error of ours, or Python's
    ORDER = 64  # no usable order on stdin
    MODULE = 65  # cannot be loaded, or is not a PKCS#11 module
    TOKEN_ABSENT = 66
    TOKEN_AMBIGUOUS = 67
    PIN_FILE = 68
    PIN_REFUSED = 69
    HEALTH = 70  # an output test latched
    MEMORY = 71  # too little lockable memory
    FAULT = 72  # the module or the system failed; the fault says how


_BY_ERR = {
    Err.ERR_LOCK: Exit.MEMORY,
    Err.ERR_LOAD: Exit.MODULE,
    Err.ERR_NOT_MODULE: Exit.MODULE,
    Err.ERR_PIN_FILE: Exit.PIN_FILE,
    Err.ERR_PIN_REFUSED: Exit.PIN_REFUSED,
    Err.ERR_HEALTH: Exit.HEALTH,
    Err.ERR_STOPPED: Exit.STOPPED,
}


_VENDORS = "name the PKCS#11 library that the HSM's vendor delivers"
_REMEDIES = {
    Err.ERR_LOCK: "raise LimitMEMLOCK= (ulimit -l), lower reserve, or set allow_unlocked = true",
    Err.ERR_LOAD: f"{_VENDORS}, and install what it needs",
    Err.ERR_NOT_MODULE: _VENDORS,
}
_CKR_TOKEN_NOT_RECOGNIZED = 0xE1  # also of a token that was never initialised
_INITIALISE = (
    "initialise the token with its vendor's tool, or name the module's own configuration in env"
)


def exit_for(err: Err) -> Exit:
    """Say how the process ends after a native fault."""
    return _BY_ERR.get(err, Exit.FAULT)


def line_for(error: Exception) -> str:
    """Say in one line what went wrong, and what to do where that is known."""
    line = str(error) or type(error).__name__
    remedy = _remedy(error) if isinstance(error, NativeError) else None
    return f"{line}; {remedy}" if remedy else line


def _remedy(error: NativeError) -> str | None:
    if error.ckr == _CKR_TOKEN_NOT_RECOGNIZED:
        return _INITIALISE
    return _REMEDIES.get(error.err)
