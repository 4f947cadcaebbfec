"""The ledger of the proof: where every received byte came from, and that none came twice.

Every byte has its place in the test token's stream; no place was handed out twice, to one host or
to two. Nearly all bytes stand in whole blocks (tests/support/blocks.py). The rest are pieces: the
end or the start of the blocks beside a run, and, where a cut falls into the first or last block of
a call, pieces of a block that belongs to neither neighbour. Requests and slots are cut after a
multiple of three bytes; calls are of whole blocks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from tests.support.blocks import BLOCK_BYTES, Run, block, blocks, common_prefix, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Altered", "Ledger", "Proof", "ProofError", "Run", "Twice", "block", "blocks", "decode"]

GROUP_BYTES = 3
MISSING_MAX = 70_000  # blocks that are looked through for a piece
# Blocks that are looked for behind the last that somebody has whole: of a call, a piece may have
# been sent and the rest purged, while another reader's calls before it went out whole.
BEYOND = 20_000
READINGS_MAX = 16
UNPROVEN_MAX = 4 * BLOCK_BYTES


class ProofError(AssertionError):
    """The received bytes are not what they should be."""


class Altered(ProofError):
    """Bytes that are at no place of the stream."""


class Twice(ProofError):
    """A place of the stream that was received twice."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What verify() found, when nothing is wrong."""

    n_bytes: int
    bytes_by_host: dict[str, int]
    n_blocks: int  # received whole
    n_pieces: int  # of blocks
    # Bytes that can be read only as a piece of one or two, too short to say whose it is; and, where
    # very many blocks did not arrive, pieces of such. Next to nothing, or something is wrong.
    n_unproven_bytes: int
    last_counter: int  # the highest that was seen; -1: none


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes start..stop of a block; of no known block, when the counter is negative."""

    counter: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Gap:
    """Received bytes between two runs, or at an end of what was received together."""

    host: str
    offset: int  # in what was added together
    content: bytes
    before: int | None  # the counter that would come next after the run before
    behind: int | None  # the counter right before the run behind


@dataclass(slots=True)
class Ledger:
    """Collects what hosts received; verify() accounts for it."""

    _counters: list[np.ndarray] = field(default_factory=list)
    _hosts: list[str] = field(default_factory=list)  # of _counters
    _gaps: list[_Gap] = field(default_factory=list)
    _bytes: Counter[str] = field(default_factory=Counter)

    def add(self, host: str, raw: bytes | memoryview) -> None:
        """Add bytes that a host received one after the other: all of them, or one request's."""
        raw = memoryview(raw).cast("B")
        runs = decode(raw)
        self._bytes[host] += len(raw)
        self._hosts.append(host)
        counters = [np.arange(run.first_counter, run.next_counter, dtype=np.uint64) for run in runs]
        self._counters.append(np.concatenate([np.empty(0, np.uint64), *counters]))
        for before, behind in pairwise([None, *runs, None]):
            start = before.end if before else 0
            content = bytes(raw[start : behind.offset if behind else len(raw)])
            expected = before.next_counter if before else None
            wanted = behind.first_counter - 1 if behind else None
            if content:
                self._gaps.append(_Gap(host, start, content, expected, wanted))

    def verify(self) -> Proof:
        """Attribute every byte; raises Altered or Twice."""
        whole = np.sort(np.concatenate([np.empty(0, np.uint64), *self._counters]))
        repeated = whole[:-1][whole[1:] == whole[:-1]]
        if len(repeated):
            raise Twice(self._who_has(int(repeated[0]), len(repeated)))
        claims = _Claims(whole)
        readings = [(gap, list(_readings(gap))) for gap in self._gaps]
        # What can be read in one way only is settled first, and narrows down the rest.
        for gap, choices in sorted(readings, key=lambda entry: (not entry[1], len(entry[1]))):
            claims.settle(gap, choices)
        return Proof(
            n_bytes=self._bytes.total(),
            bytes_by_host=dict(self._bytes),
            n_blocks=len(whole),
            n_pieces=sum(map(len, claims.pieces.values())),
            n_unproven_bytes=claims.n_unproven_bytes,
            last_counter=max(int(whole[-1]) if len(whole) else -1, max(claims.pieces, default=-1)),
        )

    def _who_has(self, counter: int, n_repeated: int) -> str:
        places = [
            host
            for host, counters in zip(self._hosts, self._counters, strict=True)
            for _ in range(int(np.count_nonzero(counters == counter)))
        ]
        return (
            f"block {counter} was received by {' and by '.join(places)}; {n_repeated} such blocks"
        )


class _Haystack:
    """Blocks in which a piece is looked for, each with the start of the next."""

    def __init__(self, counters: list[int]) -> None:
        self._counters = counters
        self._pairs = b"".join(block(counter) + block(counter + 1) for counter in counters)

    def find(self, content: bytes) -> Iterator[tuple[int, int]]:
        """Counters of blocks, and where in them the content begins."""
        at = self._pairs.find(content)
        while at >= 0:
            index, start = divmod(at, 2 * BLOCK_BYTES)
            if start < BLOCK_BYTES and start + len(content) <= 2 * BLOCK_BYTES:
                yield self._counters[index], start
            at = self._pairs.find(content, at + 1)


class _Claims:
    """Which bytes of which block somebody has."""

    def __init__(self, whole: np.ndarray) -> None:
        self.whole = whole
        self.pieces: dict[int, list[tuple[_Piece, str]]] = defaultdict(list)
        self.n_unproven_bytes = 0

    def _has_whole(self, counter: int) -> bool:
        at = int(np.searchsorted(self.whole, np.uint64(counter)))
        return at < len(self.whole) and int(self.whole[at]) == counter

    def _holder(self, piece: _Piece) -> str | None:
        if piece.counter < 0:
            return None
        if self._has_whole(piece.counter):
            return "a host that has all of it"
        for other, host in self.pieces.get(piece.counter, ()):
            if other.start < piece.stop and piece.start < other.stop:
                return host
        return None

    def settle(self, gap: _Gap, choices: list[list[_Piece]]) -> None:
        """Take the first reading that nobody objects to, the neighbours' continuations first."""
        conflict = None
        for pieces in chain(choices, self._with_middle(gap)):
            objection = next(((p, held) for p in pieces if (held := self._holder(p))), None)
            if objection is None:
                self._claim(gap.host, pieces)
                return
            conflict = conflict or objection
        if conflict:
            piece, holder = conflict
            raise Twice(
                f"bytes {piece.start} to {piece.stop} of block {piece.counter} were received by "
                f"{gap.host} and by {holder}"
            )
        if self._everything or _is_altered(gap) or len(gap.content) > UNPROVEN_MAX:
            raise Altered(
                f"{gap.host}: {len(gap.content)} bytes at {gap.offset} have no place in the stream"
            )
        self.n_unproven_bytes += len(gap.content)

    def _claim(self, host: str, pieces: list[_Piece]) -> None:
        for piece in pieces:
            if piece.counter < 0:
                self.n_unproven_bytes += piece.stop
            else:
                self.pieces[piece.counter].append((piece, host))

    @cached_property
    def _beside(self) -> _Haystack:
        """The blocks beside those that somebody has whole."""
        breaks = np.flatnonzero(np.diff(self.whole) != 1)
        last = [*self.whole[breaks].tolist(), *self.whole[-1:].tolist()]
        first = [*self.whole[breaks + 1].tolist(), *self.whole[:1].tolist()]
        near = {counter + step for counter in last for step in (1, 2)}
        near |= {counter - step for counter in first for step in (1, 2) if counter >= step}
        return _Haystack(sorted(counter for counter in near if not self._has_whole(counter)))

    @cached_property
    def _everything(self) -> _Haystack | None:
        """All blocks that nobody has whole, if they are not too many."""
        end = (int(self.whole[-1]) if len(self.whole) else 0) + BEYOND
        if end - len(self.whole) > MISSING_MAX:
            return None
        missing = np.ones(end, dtype=bool)
        missing[self.whole] = False
        return _Haystack(np.flatnonzero(missing).tolist())

    def _with_middle(self, gap: _Gap) -> Iterator[list[_Piece]]:
        """Ways to read a gap that holds bytes of blocks that neither neighbour belongs to."""
        head, tail = _reach(gap)
        end = gap.offset + len(gap.content)
        # Where nobody cuts, a foreign byte looks like ours.
        lefts = [left for left in range(head, 0, -1) if (gap.offset + left) % GROUP_BYTES == 0]
        rights = [right for right in range(tail, 0, -1) if (end - right) % GROUP_BYTES == 0]
        for unknown in (False, True):
            for haystack in (self._beside, self._everything):
                for left in [*lefts, 0] if haystack else ():
                    for right in [*rights, 0]:
                        middle = gap.content[left : len(gap.content) - right]
                        covers = _cover(middle, gap.offset + left, haystack, unknown=unknown)
                        for pieces in islice(covers, READINGS_MAX):
                            yield [*_edges(gap, left, right), *pieces]


def _is_altered(gap: _Gap) -> bool:
    """Whether a gap stands exactly where the blocks between its neighbours should."""
    if gap.before is None or gap.behind is None:
        return False
    return len(gap.content) == (gap.behind + 1 - gap.before) * BLOCK_BYTES


def _reach(gap: _Gap) -> tuple[int, int]:
    """How far the run before and the run behind can reach into a gap."""
    head = 0 if gap.before is None else common_prefix(gap.content, block(gap.before))
    tail = 0 if gap.behind is None else common_prefix(gap.content[::-1], block(gap.behind)[::-1])
    return head, tail


def _edges(gap: _Gap, head: int, tail: int) -> list[_Piece]:
    pieces = []
    if head and gap.before is not None:
        pieces.append(_Piece(gap.before, 0, head))
    if tail and gap.behind is not None:
        pieces.append(_Piece(gap.behind, BLOCK_BYTES - tail, BLOCK_BYTES))
    return pieces


def _readings(gap: _Gap) -> Iterator[list[_Piece]]:
    """Ways to read a gap as the continuation of both its neighbours; the likeliest first."""
    head, tail = _reach(gap)
    cuts = range(max(0, len(gap.content) - tail), min(head, len(gap.content)) + 1)
    for cut in sorted(cuts, key=lambda cut: (gap.offset + cut) % GROUP_BYTES != 0):
        yield _edges(gap, cut, len(gap.content) - cut)


def _cover(
    content: bytes, offset: int, haystack: _Haystack, *, unknown: bool
) -> Iterator[list[_Piece]]:
    """Ways to read bytes as pieces that end where somebody cut or with a block; long ones first."""
    if not content:
        yield []
        return
    for length in range(min(len(content), 2 * BLOCK_BYTES - 2), 0, -1):
        cut = length == len(content) or (offset + length) % GROUP_BYTES == 0
        for pieces in _places(content[:length], haystack, cut=cut, unknown=unknown):
            rests = _cover(content[length:], offset + length, haystack, unknown=unknown)
            for rest in rests:
                yield [*pieces, *rest]


def _places(
    content: bytes, haystack: _Haystack, *, cut: bool, unknown: bool
) -> Iterator[list[_Piece]]:
    if len(content) < GROUP_BYTES:
        if unknown and cut:
            yield [_Piece(-1, 0, len(content))]
        return
    for counter, start in haystack.find(content):
        stop = start + len(content)
        if stop == BLOCK_BYTES or (cut and stop < BLOCK_BYTES):
            yield [_Piece(counter, start, stop)]
        elif cut:
            first = _Piece(counter, start, BLOCK_BYTES)
            yield [first, _Piece(counter + 1, 0, stop - BLOCK_BYTES)]
