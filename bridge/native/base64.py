"""Base64 (RFC 4648 section 4, padded) from one buffer into another, on any of the kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.native._native import ffi, lib

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


def _named() -> dict[str, int]:
    names = (lib.bn_base64_kernel_name(index) for index in range(lib.bn_base64_kernel_count()))
    return {str(ffi.string(name), "ascii"): index for index, name in enumerate(names)}


# Looked up once: at 64 KiB a call takes a few microseconds.
_from_buffer = ffi.from_buffer
_encode = lib.bn_base64_encode
_RAW = ffi.typeof("uint8_t[]")
_TEXT = ffi.typeof("char[]")

_COMPILED = _named()
_USABLE = {name: index for name, index in _COMPILED.items() if lib.bn_base64_kernel_usable(index)}
_BEST: int = lib.bn_base64_kernel_best()


def base64_kernels(*, compiled: bool = False) -> tuple[str, ...]:
    """Name the kernels that this processor runs, plainest first; or all that were compiled."""
    return tuple(_COMPILED if compiled else _USABLE)


def base64_encode_into(
    source: ReadableBuffer, destination: WriteableBuffer, kernel: str | None = None
) -> int:
    """Encode all of `source` at the start of `destination`; returns the text's length in bytes.

    The buffers are contiguous and do not overlap, and `destination` has room for the text.
    `kernel` is one of base64_kernels(); None is the fastest.
    """
    index = _BEST if kernel is None else _USABLE.get(kernel)
    if index is None:
        raise ValueError(f"no Base64 kernel {kernel!r} here; there are {', '.join(_USABLE)}")
    # bytes can be passed as they are, which takes no time
    raw = source if type(source) is bytes else _from_buffer(_RAW, source)
    text = _from_buffer(_TEXT, destination, True)
    raw_bytes = len(raw)
    text_bytes = (raw_bytes + 2) // 3 * 4
    if text_bytes > len(text):
        raise ValueError(f"the text needs {text_bytes} bytes, the destination has {len(text)}")
    if _encode(index, raw, raw_bytes, text):
        raise ValueError("source and destination overlap")
    return text_bytes
