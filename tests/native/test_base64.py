"""Base64 from Python: every kernel against the standard library, at every length and alignment."""

from __future__ import annotations

import array
import base64
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.native import base64_encode_into, base64_kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNELS = ("scalar", "ssse3", "avx2", "avx512vbmi", "neon")  # of all architectures
ALIGNMENTS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 61, 62, 63)


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> str:
    if request.param not in base64_kernels():
        pytest.skip(f"this processor does not run the kernel {request.param}")
    return request.param


def encode(raw: bytes, kernel: str | None, alignment: int = 0) -> bytes:
    room = bytearray(b"!" * (len(raw) * 4 // 3 + 8 + alignment))
    length = base64_encode_into(raw, memoryview(room)[alignment:], kernel)
    assert room[:alignment].count(b"!") == alignment
    assert set(room[alignment + length :]) <= {ord("!")}
    return bytes(room[alignment : alignment + length])


def places() -> Iterator[tuple[int, int]]:
    for alignment in ALIGNMENTS:
        yield alignment, 0
        yield 0, alignment
        yield alignment, (alignment * 7 + 5) % 64


def test_every_length_at_many_alignments(kernel: str) -> None:
    content = random.Random(1).randbytes(640)
    for length in range(513):
        expected = base64.b64encode(content[:length])
        for from_, to in places():
            buffer = bytearray(64) + bytearray(content)
            buffer[from_ : from_ + length] = content[:length]
            raw = memoryview(buffer)[from_ : from_ + length]
            assert encode(raw, kernel, to) == expected, (length, from_, to)


@given(raw=st.binary(max_size=5000), alignment=st.integers(0, 63))
def test_any_bytes(raw: bytes, alignment: int) -> None:
    for kernel in (None, *base64_kernels()):
        assert encode(raw, kernel, alignment) == base64.b64encode(raw)


def test_a_long_buffer(kernel: str) -> None:
    raw = random.Random(2).randbytes(1_000_001)
    assert encode(raw, kernel) == base64.b64encode(raw)


def test_kernels_are_named_plainest_first() -> None:
    assert base64_kernels()[0] == "scalar"
    assert set(base64_kernels()) <= set(base64_kernels(compiled=True)) <= set(KERNELS)


@pytest.mark.parametrize(
    "source", [array.array("I", [1, 2, 3]), memoryview(b"abcdef"), bytearray(5)]
)
def test_takes_any_contiguous_buffer(source: memoryview) -> None:
    room = bytearray(100)
    length = base64_encode_into(source, room)
    assert room[:length] == base64.b64encode(bytes(source))


def test_the_exact_room_is_enough() -> None:
    room = bytearray(8)
    assert base64_encode_into(b"abcd", room) == 8
    assert room == b"YWJjZA=="


def test_too_little_room() -> None:
    with pytest.raises(ValueError, match="the text needs 8 bytes, the destination has 7"):
        base64_encode_into(b"abcd", bytearray(7))


def test_unknown_kernel() -> None:
    with pytest.raises(ValueError, match=r"no Base64 kernel 'fast' here; there are scalar"):
        base64_encode_into(b"abc", bytearray(4), "fast")


def test_overlap() -> None:
    buffer = bytearray(100)
    with pytest.raises(ValueError, match="overlap"):
        base64_encode_into(memoryview(buffer)[:30], memoryview(buffer)[29:])


def test_read_only_destination() -> None:
    with pytest.raises((BufferError, TypeError, ValueError)):
        base64_encode_into(b"abc", bytes(4))


def test_buffers_are_free_afterwards() -> None:
    source, room = bytearray(b"abc"), bytearray(4)
    base64_encode_into(source, room)
    source.append(1)  # an exported buffer could not be resized
    room.append(1)
