# SPDX-License-Identifier: Apache-2.0
"""What the native code reports when something fails."""

from __future__ import annotations

import os
from enum import IntEnum

from bridge.native.ckr import ckr_name


class Err(IntEnum):
    """enum bn_err of bn.h."""

    OK = 0
    ERR_ARGUMENT = 1
    ERR_MEMORY = 2
    ERR_LOCK = 3
    ERR_SYSTEM = 4
    ERR_LOAD = 5
    ERR_NOT_MODULE = 6
    ERR_CKR = 7
    ERR_PIN_FILE = 8
    ERR_PIN_REFUSED = 9
    ERR_RING = 10
    ERR_HEALTH = 11
    ERR_KERNEL = 12
    ERR_TOKEN = 13
    ERR_STOPPED = 14


_MEANING = {
    Err.ERR_ARGUMENT: "impossible argument",
    Err.ERR_MEMORY: "out of memory",
    Err.ERR_LOCK: "memory cannot be locked",
    Err.ERR_SYSTEM: "a system call failed",
    Err.ERR_LOAD: "the module cannot be loaded",
    Err.ERR_NOT_MODULE: "not a usable PKCS#11 module",
    Err.ERR_PIN_FILE: "the PIN cannot be read",
    Err.ERR_PIN_REFUSED: "the PIN was refused",
    Err.ERR_RING: "the ring is not what it should be",
    Err.ERR_HEALTH: "an output test latched",
    Err.ERR_KERNEL: "no such Base64 kernel on this processor",
    Err.ERR_STOPPED: "stopped",
}


# Modules that miss their configuration say no more than CKR_GENERAL_ERROR; those that miss their
# daemon, as openCryptoki does, no more than CKR_FUNCTION_FAILED.
_START_TIP = (
    "; does it want a variable in env (--env NAME=VALUE), or init_args (--init-args)? "
    "Does a service of the vendor's have to run?"
)
_TIPS = {
    0x101: "; does it lack a PIN (pin_file)?",  # CKR_USER_NOT_LOGGED_IN
    0x121: "; this token has no random numbers to give: choose another one",  # CKR_RANDOM_NO_RNG
}


class NativeError(Exception):
    """A failure in native code; str() is one line without secrets."""

    def __init__(
        self, err: Err, *, ckr: int = 0, where: str = "", text: str = "", sys_errno: int = 0
    ) -> None:
        super().__init__(err)
        self.err = err
        self.ckr = ckr
        self.where = where
        self.text = text
        self.sys_errno = sys_errno

    def __str__(self) -> str:
        return ": ".join(part for part in (_MEANING.get(self.err), self._call(), self.text) if part)

    def _call(self) -> str:
        if self.ckr:
            tip = _START_TIP if self.where == "C_Initialize" else _TIPS.get(self.ckr, "")
            return f"{ckr_name(self.ckr)} (0x{self.ckr:X}) from {self.where}{tip}"
        if self.sys_errno:
            return f"{os.strerror(self.sys_errno)} from {self.where}"
        return "" if self.text and self.err is not Err.ERR_HEALTH else self.where
