"""Small requests go in one piece, of which nothing is left."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvloop

from bridge.native.errors import Err, NativeError
from bridge.vcenter import VCenter
from bridge.vcenter.body import EntropyBody
from bridge.vcenter.fastpath.envelope import RECORD_BYTES, Envelope, new_envelope
from tests.vcenter.conftest import raw_server
from tests.vcenter.test_fastpath import LEVELS, OK, read_body

HEAD = b"POST / HTTP/1.1\r\n\r\n"
APPLICATION_DATA = 23  # RFC 8446, section 5.1


class Transport(asyncio.WriteTransport):
    """Looks at what it is given, and may hold some of it back."""

    def __init__(self, held_bytes=0, fails=False) -> None:
        super().__init__()
        self.held_bytes = held_bytes
        self.fails = fails
        self.seen: list[bytes] = []
        self.aborted = False

    def write(self, data):
        self.seen.append(bytes(data))
        if self.fails:
            raise RuntimeError("the handler is closed")

    def get_write_buffer_size(self):
        return self.held_bytes

    def abort(self):
        self.aborted = True


def body(*pieces: bytes) -> EntropyBody:
    return EntropyBody(list(map(memoryview, pieces)), bool)


def is_wiped(envelope: Envelope) -> bool:
    return not any(envelope._memory)


def test_a_request_goes_as_one_and_leaves_nothing():
    envelope, transport, sent = Envelope(), Transport(), body(b"AAAA", b"BBBBCCCC")
    assert envelope.send(HEAD, sent, transport)
    assert transport.seen == [HEAD + b'{"data":"AAAABBBBCCCC"}']
    assert sent.finished
    assert not sent.has_more
    assert not transport.aborted
    assert is_wiped(envelope)


def test_what_does_not_fit_is_left_alone():
    envelope, transport = Envelope(), Transport()
    room = RECORD_BYTES - len(HEAD) - body(b"A").size + 1
    larger = body(b"A" * (room + 1))
    assert not envelope.send(HEAD, larger, transport)
    assert larger.has_more
    assert not larger.finished
    assert not transport.seen
    assert envelope.send(HEAD, body(b"A" * room), transport)
    assert len(transport.seen[0]) == RECORD_BYTES
    assert is_wiped(envelope)


def test_a_transport_that_holds_some_of_it_sends_nothing_else_for_it():
    envelope, transport = Envelope(), Transport(held_bytes=1)
    assert envelope.send(HEAD, body(b"AAAA"), transport)
    assert transport.aborted
    assert is_wiped(envelope)


def test_nothing_is_left_when_the_transport_fails():
    envelope = Envelope()
    with pytest.raises(RuntimeError):
        envelope.send(HEAD, body(b"AAAA"), Transport(fails=True))
    assert is_wiped(envelope)


def test_without_memory_to_lock_there_is_none(monkeypatch):
    def refuse(_n_bytes):
        raise NativeError(Err.ERR_LOCK, where="mlock")

    monkeypatch.setattr("bridge.vcenter.fastpath.envelope.secure_memory", refuse)
    assert new_envelope() is None


@asynccontextmanager
async def tap(port):
    """Pass a connection on, and keep what the client sends."""
    sent = bytearray()

    async def carry(reader, writer, note):
        while data := await reader.read(1 << 16):
            note.extend(data)
            writer.write(data)

    async def connected(reader, writer):
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(carry(reader, their_writer, sent)),
                    asyncio.ensure_future(carry(their_reader, writer, bytearray())),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            writer.close()
            their_writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], sent


def records(sent: bytes) -> list[int]:
    """The sizes of the records of application data."""
    sizes = []
    while sent:
        size = int.from_bytes(sent[3:5], "big")
        if sent[0] == APPLICATION_DATA:
            sizes.append(size)
        sent = sent[5 + size :]
    return sizes


async def test_it_is_one_record_on_the_wire(settings, password, server_tls):
    bodies = []

    async def fine(head, reader, writer):
        bodies.append(await read_body(head, reader))
        writer.write(OK % (b"", len(LEVELS), LEVELS))

    is_joined = isinstance(asyncio.get_running_loop(), uvloop.Loop)  # by asyncio's own, not
    async with raw_server(fine, server_tls) as url, tap(int(url.rpartition(":")[2])) as tapped:
        port, sent = tapped
        config = settings(f"https://localhost:{port}", fast_path=True)
        async with VCenter(config, password) as client:
            for n_bytes, n_records in ((4, 1), (1368, 1), (15_000, 1), (20_000, 4)):
                before = len(sent)
                await client.add("host-2", [memoryview(b"A" * n_bytes)], bool)
                assert bodies.pop() == b'{"data":"' + b"A" * n_bytes + b'"}'
                found = len(records(bytes(sent[before:])))
                assert found == (n_records if is_joined else max(3, n_records))
