"""The proof's own instrument: it must find what is wrong, and nothing else."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support.counting import Altered, Ledger, Twice, blocks, decode
from tests.support.cryptoki import Cryptoki, initialised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.testtoken import TestToken


@pytest.fixture
def cryptoki(token: TestToken) -> Iterator[Cryptoki]:
    with initialised(token.module) as module:
        yield module


def test_reads_what_the_token_wrote(cryptoki: Cryptoki, token: TestToken) -> None:
    session = cryptoki.open_session()
    received = b"".join(cryptoki.random(session, n) for n in (16, 4096, 1, 100, 65536, 12288))
    runs = decode(received)
    assert runs[0].first_counter == 0
    assert runs[0].n_blocks == 257
    assert runs[0].tail_bytes == 1  # the call of one byte took a block of its own
    assert runs[-1].next_counter == token.next_block == 257 + 1 + 7 + 4096 + 768
    assert token.bytes_handed_out == len(received)
    assert token.calls == 6
    ledger = Ledger()
    ledger.add("host", received)
    proof = ledger.verify()
    assert proof.n_bytes == len(received)
    assert proof.n_unproven_bytes == 0
    assert proof.last_counter == token.next_block - 1


def test_makes_the_token_s_blocks(cryptoki: Cryptoki) -> None:
    assert cryptoki.random(cryptoki.open_session(), 5000) == blocks(0, 313).tobytes()[:5000]


def test_threads_never_share_a_block(cryptoki: Cryptoki, token: TestToken) -> None:
    def read(_: int) -> list[bytes]:
        session = cryptoki.open_session()
        return [cryptoki.random(session, 1024) for _ in range(200)]

    ledger = Ledger()
    with ThreadPoolExecutor(4) as pool:
        for host, received in enumerate(pool.map(read, range(4))):
            ledger.add(str(host), b"".join(received))
    assert ledger.verify().n_blocks == token.next_block == 4 * 200 * 64


class Flow:
    """Calls of several readers, cut into slots, cut into requests, sent to hosts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.received: list[tuple[str, bytes]] = []
        call_bytes = self.random.choice((1024, 3136, 4096, 65536))
        readers = [bytearray() for _ in range(self.random.choice((1, 2, 4)))]
        counter = 0
        for _ in range(60):
            stream = self.random.choice(readers)
            stream += blocks(counter, call_bytes // 16).tobytes()
            counter += call_bytes // 16
            while len(stream) >= 12288:
                self._send(bytes(stream[:12288]))
                del stream[:12288]
            if self.random.random() < 0.1:  # a slot that waited long enough
                length = len(stream) // 3 * 3
                self._send(bytes(stream[:length]))
                del stream[:length]

    def _send(self, slot: bytes) -> None:
        while slot:
            length = min(len(slot), 3 * self.random.randrange(1, 5000))
            if self.random.random() > 0.02:  # lost on its way
                self.received.append((self.random.choice("abcde"), slot[:length]))
            slot = slot[length:]

    def ledger(self) -> Ledger:
        ledger = Ledger()
        for host in "abcde":
            ledger.add(host, b"".join(raw for to, raw in self.received if to == host))
        return ledger

    def longest(self) -> int:
        return max(range(len(self.received)), key=lambda index: len(self.received[index][1]))


@pytest.mark.parametrize("seed", range(12))
class TestFlow:
    def test_good(self, seed: int) -> None:
        flow = Flow(seed)
        proof = flow.ledger().verify()
        assert proof.n_bytes == sum(len(raw) for _, raw in flow.received)
        assert proof.n_unproven_bytes <= 20

    def test_altered(self, seed: int) -> None:
        flow = Flow(seed)
        index = flow.longest()
        host, raw = flow.received[index]
        at = flow.random.randrange(16, len(raw) - 32)
        flow.received[index] = (
            host,
            raw[:at] + bytes(b ^ 1 for b in raw[at : at + 8]) + raw[at + 8 :],
        )
        with pytest.raises(Altered):
            flow.ledger().verify()

    def test_one_bit(self, seed: int) -> None:
        flow = Flow(seed)
        index = flow.longest()
        host, raw = flow.received[index]
        # Not in the first or last two bytes of a block, where a bit is counted as unproven.
        run = decode(raw)[0]
        at = run.offset + 16 * flow.random.randrange(run.n_blocks) + flow.random.randrange(2, 14)
        flow.received[index] = host, raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :]
        with pytest.raises(Altered):
            flow.ledger().verify()

    def test_twice(self, seed: int) -> None:
        flow = Flow(seed)
        _, raw = flow.received[flow.longest()]
        flow.received.append((flow.random.choice("abcde"), raw[: max(24, len(raw) // 9 * 3)]))
        with pytest.raises(Twice):
            flow.ledger().verify()

    def test_foreign(self, seed: int) -> None:
        flow = Flow(seed)
        flow.received.insert(3, ("a", flow.random.randbytes(48)))
        with pytest.raises(Altered):
            flow.ledger().verify()


@pytest.mark.parametrize("shift", range(16))
def test_any_alignment(shift: int) -> None:
    stream = blocks(1000, 50).tobytes()
    (run,) = decode(stream[shift:])
    assert run.offset == -shift % 16
    assert run.head_bytes == run.offset
    assert run.first_counter == 1000 + (shift > 0)
    ledger = Ledger()
    ledger.add("host", stream[shift:])
    assert ledger.verify().n_unproven_bytes == 0


def test_halves_of_a_block_at_two_hosts() -> None:
    stream = blocks(0, 100).tobytes()
    ledger = Ledger()
    ledger.add("a", stream[:807])
    ledger.add("b", stream[807:])
    assert ledger.verify().n_pieces == 2
    ledger.add("c", stream[804:807])
    with pytest.raises(Twice, match="block 50"):
        ledger.verify()


def test_a_piece_of_a_call_of_which_the_rest_was_purged() -> None:
    stream = blocks(0, 100).tobytes()
    ledger = Ledger()
    ledger.add("a", stream[:801] + blocks(16_384, 1).tobytes()[:15] + stream[801:])
    proof = ledger.verify()
    assert (proof.n_pieces, proof.n_unproven_bytes) == (3, 0)


def test_100_megabytes_take_seconds() -> None:
    stream = blocks(5, 6_250_000).tobytes()
    began = time.monotonic()
    ledger = Ledger()
    ledger.add("host", stream)
    assert ledger.verify().n_blocks == 6_250_000
    assert time.monotonic() - began < 30
