"""The test token's stream, read backwards: which block each received byte came from.

Block i of the stream is the 64-bit pair (i, TAG) under the permutation of the test token
(native/tokens/testtoken.c). Sixteen bytes that decode to TAG are block i whole, wherever they
stand; nothing else does, but for one chance in 2**64. What is left between whole blocks are pieces
of blocks that were cut: the end of a call, of a slot or of a request.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]
    Bytes = NDArray[np.uint8]

BLOCK_BYTES = 16
TAG = np.uint64(0x656E74726F707921)
KEYS = tuple(np.uint64(key) for key in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
FACTORS = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)
MASK = (1 << 64) - 1
CHUNK_BYTES = 1 << 18  # what is looked at in one go: a processor's cache full


@dataclass(frozen=True, slots=True)
class Run:
    """Whole blocks of consecutive counters, and the pieces of their neighbours at both ends."""

    offset: int  # of the first whole block
    first_counter: int
    n_blocks: int
    head_bytes: int  # right before it, that are the end of block first_counter - 1
    tail_bytes: int  # right behind it, that are the start of the block after the last

    @property
    def end(self) -> int:
        return self.offset + self.n_blocks * BLOCK_BYTES

    @property
    def next_counter(self) -> int:
        return self.first_counter + self.n_blocks


def _mix(value: Words, key: np.uint64) -> Words:
    value = value + key
    value = (value ^ (value >> np.uint64(32))) * FACTORS[0]
    value = (value ^ (value >> np.uint64(29))) * FACTORS[1]
    return value ^ (value >> np.uint64(32))


def blocks(start: int, count: int) -> Bytes:
    """Make blocks `start` to `start + count - 1`."""
    counters = np.arange(start, start + count, dtype=np.uint64)
    right = TAG ^ _mix(counters, KEYS[0])
    left = counters ^ _mix(right, KEYS[1])
    right ^= _mix(left, KEYS[2])
    return np.stack([left, right], axis=1).astype("<u8").view(np.uint8).reshape(-1)


def _mix_one(value: int, key: int) -> int:
    value = (value + key) & MASK
    value = (value ^ (value >> 32)) * int(FACTORS[0]) & MASK
    value = (value ^ (value >> 29)) * int(FACTORS[1]) & MASK
    return value ^ (value >> 32)


@lru_cache(maxsize=1 << 16)
def block(counter: int) -> bytes:
    """Make one block, without the price of an array."""
    if counter < 0:
        return b""
    right = int(TAG) ^ _mix_one(counter, int(KEYS[0]))
    left = counter ^ _mix_one(right, int(KEYS[1]))
    return struct.pack("<QQ", left, right ^ _mix_one(left, int(KEYS[2])))


def _open(pairs: Words) -> tuple[Words, NDArray[np.bool_]]:
    """Undo the permutation: the counters, and which of the pairs are blocks at all."""
    left, right = pairs[:, 0], pairs[:, 1]
    right = right ^ _mix(left, KEYS[2])
    counters = left ^ _mix(right, KEYS[1])
    return counters, (right ^ _mix(counters, KEYS[0])) == TAG


def _find_in(chunk: Bytes, first_alignment: int) -> tuple[NDArray[np.int64], Words, int]:
    """Offsets and counters of the whole blocks in a chunk, and the alignment of most of them.

    What a block covers that was found is not looked at again.
    """
    covered = np.zeros(len(chunk), dtype=np.bool_)
    found_at: list[NDArray[np.int64]] = []
    found: list[Words] = []
    best, best_count = first_alignment, 0
    for turn in range(BLOCK_BYTES):
        alignment = (first_alignment + turn) % BLOCK_BYTES
        n_places = (len(chunk) - alignment) // BLOCK_BYTES
        if n_places <= 0:
            continue
        pairs = chunk[alignment : alignment + n_places * BLOCK_BYTES].view("<u8").reshape(-1, 2)
        places = np.arange(n_places, dtype=np.int64) * BLOCK_BYTES + alignment
        if found:
            free = ~(covered[places] | covered[places + BLOCK_BYTES - 1])
            if not free.any():
                continue
            pairs, places = pairs[free], places[free]
        counters, valid = _open(pairs)
        if not valid.any():
            continue
        places = places[valid]
        found_at.append(places)
        found.append(counters[valid])
        if len(places) > best_count:
            best, best_count = alignment, len(places)
        if len(places) == n_places:
            break  # a further block would not fit beside these
        covered[(places[:, None] + np.arange(BLOCK_BYTES)).reshape(-1)] = True
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.uint64), best
    offsets, all_counters = np.concatenate(found_at), np.concatenate(found)
    order = np.argsort(offsets, kind="stable")
    return offsets[order], all_counters[order], best


def find(raw: bytes | memoryview) -> tuple[NDArray[np.int64], Words]:
    """Offsets and counters of all whole blocks, at any alignment."""
    stream = np.frombuffer(raw, np.uint8)
    offsets: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    counters: list[Words] = [np.empty(0, np.uint64)]
    start, alignment = 0, 0
    while start + BLOCK_BYTES <= len(stream):
        # Blocks that begin in this chunk may end in the next: it reaches 15 bytes further.
        chunk = stream[start : start + CHUNK_BYTES + BLOCK_BYTES - 1]
        at, values, alignment = _find_in(chunk, alignment)
        offsets.append(at + start)
        counters.append(values)
        start += CHUNK_BYTES
    return np.concatenate(offsets), np.concatenate(counters)


def common_prefix(left: bytes, right: bytes) -> int:
    """Length of what both begin with."""
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return length


def decode(raw: bytes | memoryview) -> list[Run]:
    """Find the runs of consecutive whole blocks in received bytes."""
    raw = memoryview(raw).cast("B")
    offsets, counters = find(raw)
    if not len(offsets):
        return []
    breaks = np.flatnonzero((np.diff(offsets) != BLOCK_BYTES) | (np.diff(counters) != 1)) + 1
    firsts = [0, *breaks.tolist(), len(offsets)]
    runs: list[Run] = []
    for first, after in pairwise(firsts):
        offset, counter, count = int(offsets[first]), int(counters[first]), after - first
        end = offset + count * BLOCK_BYTES
        before = runs[-1].end if runs else 0
        behind = int(offsets[after]) if after < len(offsets) else len(raw)
        gap = bytes(raw[max(before, offset - BLOCK_BYTES + 1) : offset])
        head = common_prefix(gap[::-1], block(counter - 1)[::-1])
        gap = bytes(raw[end : min(behind, end + BLOCK_BYTES - 1)])
        runs.append(Run(offset, counter, count, head, common_prefix(gap, block(counter + count))))
    return runs
