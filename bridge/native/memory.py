"""Memory for secrets, and overwriting what must not be left in any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.native._native import ffi, lib
from bridge.native.fault import new_fault, read_fault

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def wipe(buffer: WriteableBuffer) -> None:
    """Overwrite a contiguous buffer with zeros."""
    with ffi.from_buffer("uint8_t[]", buffer, require_writable=True) as data:
        lib.bn_wipe(data, len(data))


def secure_memory(len_bytes: int) -> memoryview:
    """Allocate zeroed memory, locked, out of core dumps and forks; NativeError if refused.

    It is wiped and given back when the last view of it is gone.
    """
    fault = new_fault()
    data: Any = lib.bn_secure_alloc(len_bytes, 0, fault)
    if not data:
        raise read_fault(fault)
    free = lib.bn_secure_free
    kept: Any = ffi.gc(data, lambda it: free(it, len_bytes), len_bytes)
    return memoryview(ffi.buffer(kept, len_bytes))
