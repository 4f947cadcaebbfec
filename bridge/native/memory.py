"""Overwriting what must not be left in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.native._native import ffi, lib

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def wipe(buffer: WriteableBuffer) -> None:
    """Overwrite a contiguous buffer with zeros."""
    with ffi.from_buffer("uint8_t[]", buffer, require_writable=True) as data:
        lib.bn_wipe(data, len(data))
