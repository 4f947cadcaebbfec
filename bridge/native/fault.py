# SPDX-License-Identifier: Apache-2.0
"""struct bn_fault: how a failure crosses from C to Python."""

from __future__ import annotations

from typing import Any

from bridge.native._native import ffi
from bridge.native.errors import Err, NativeError

Fault = Any  # a cdata pointer to a struct bn_fault


def new_fault() -> Fault:
    """Make an empty one, for a native function to fill in."""
    return ffi.new("struct bn_fault *")


def _words(chars: Any) -> str:
    words: Any = ffi.string(chars)
    return str(words, "utf-8", "replace")


def read_fault(fault: Fault) -> NativeError:
    """Turn a fault into an exception."""
    return NativeError(
        Err(fault.err),
        ckr=fault.ckr,
        where=_words(fault.where),
        text=_words(fault.text),
        sys_errno=fault.sys_errno,
    )


def write_fault(fault: Fault, error: NativeError) -> None:
    """Fill in a fault; what is too long for it is cut."""
    fault.err = error.err
    fault.ckr = error.ckr
    fault.sys_errno = error.sys_errno
    fault.where = error.where.encode()[: ffi.sizeof(fault.where) - 1]
    fault.text = error.text.encode()[: ffi.sizeof(fault.text) - 1]


def check(err: int, fault: Fault) -> None:
    """Raise NativeError, unless a native function returned BN_OK."""
    if err != Err.OK:
        raise read_fault(fault)
