import asyncio
import gc
import weakref

import pytest
from aiohttp.http_writer import StreamWriter

from bridge.vcenter.body import PREFIX, SUFFIX, EntropyBody
from bridge.vcenter.payload import EntropyPayload


class Owner(bytearray):
    """Exports a piece, and can be seen to die."""


class Transport(asyncio.WriteTransport):
    """Takes what it is given, as far as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[object] = []
        self.closing = False
        self.fails_at: int | None = None
        self.aborted = False

    def write(self, data):
        if len(self.written) == self.fails_at:
            raise RuntimeError("the handler is closed")
        self.written.append(data)

    def is_closing(self):
        return self.closing

    def abort(self):
        self.aborted = True

    def get_write_buffer_size(self):
        return 0


class Protocol:
    _paused = False

    def __init__(self, transport) -> None:
        self.transport = transport

    async def _drain_helper(self):
        raise AssertionError


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def writer(transport) -> StreamWriter:
    return StreamWriter(Protocol(transport), asyncio.new_event_loop())


@pytest.fixture(autouse=True)
def no_gc():
    gc.disable()
    yield
    gc.enable()


def run(coroutine):
    """Run what never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError


def pieces(n: int) -> tuple[list[memoryview], list[weakref.ref]]:
    owners = [Owner(b"%04d" % i) for i in range(n)]
    return [memoryview(o) for o in owners], [weakref.ref(o) for o in owners]


@pytest.fixture(autouse=True)
def closed_loops(writer):
    yield
    writer.loop.close()


def test_it_writes_prefix_pieces_suffix_and_copies_none(transport, writer):
    views, refs = pieces(3)
    body = EntropyBody(views, lambda: None)
    run(EntropyPayload(body).write_with_length(writer, body.size))
    assert b"".join(transport.written) == PREFIX + b"000000010002" + SUFFIX
    assert len(PREFIX + b"000000010002" + SUFFIX) == body.size
    for i in range(3):
        assert transport.written[1 + i].obj is refs[i]()
    assert body.started
    assert body.finished


def test_start_is_called_once_when_the_first_piece_goes(transport, writer):
    seen = []
    views, _ = pieces(3)
    body = EntropyBody(views, lambda: seen.append((len(transport.written), body.started)))
    run(EntropyPayload(body).write(writer))
    assert seen == [(1, False)]  # the prefix only


def test_a_connection_lost_before_the_first_piece_is_no_start(transport, writer):
    seen = []
    views, _ = pieces(1)
    body = EntropyBody(views, lambda: seen.append(1))

    def write_and_close(data):
        transport.closing = True

    transport.write = write_and_close
    with pytest.raises(ConnectionResetError):
        run(EntropyPayload(body).write(writer))
    assert not seen
    assert not body.started
    assert not body.finished


def test_no_connection_at_all_is_no_start(writer):
    writer.protocol.transport = None
    views, _ = pieces(1)
    body = EntropyBody(views, lambda: None)
    with pytest.raises(ConnectionResetError):
        run(EntropyPayload(body).write(writer))
    assert not body.started


def test_a_start_that_fails_sends_nothing(transport, writer):
    views, _ = pieces(1)

    def refuse():
        raise KeyError("spent already")

    body = EntropyBody(views, refuse)
    with pytest.raises(KeyError):
        run(EntropyPayload(body).write(writer))
    assert transport.written == [PREFIX]
    assert not body.started


def test_it_is_never_sent_twice(transport, writer):
    views, _ = pieces(1)
    body = EntropyBody(views, lambda: None)
    run(EntropyPayload(body).write(writer))
    with pytest.raises(RuntimeError, match="twice"):
        run(EntropyPayload(body).write(writer))
    assert len(transport.written) == 3


def test_drop_lets_go_of_everything():
    views, refs = pieces(3)
    start = Owner()
    body = EntropyBody(views, start.clear)
    views.clear()
    refs.append(weakref.ref(start))
    del start
    assert all(ref() is not None for ref in refs)
    body.drop()
    assert all(ref() is None for ref in refs)


def test_what_was_handed_over_is_not_held(transport, writer):
    views, refs = pieces(3)
    body = EntropyBody(views, lambda: None)
    views.clear()
    run(EntropyPayload(body).write(writer))
    transport.written.clear()
    assert all(ref() is None for ref in refs)


@pytest.mark.parametrize("kind", ["closing", "failing"])
def test_an_exception_holds_no_piece(transport, writer, kind):
    views, refs = pieces(3)
    body = EntropyBody(views, lambda: None)
    views.clear()
    if kind == "failing":
        transport.fails_at = 2
    else:
        write = transport.write

        def once(data):
            write(data)
            transport.closing = len(transport.written) == 2

        transport.write = once
    with pytest.raises((ConnectionResetError, RuntimeError)) as caught:
        run(EntropyPayload(body).write(writer))
    assert body.started
    assert not body.finished
    transport.written.clear()
    body.drop()
    # `caught` still holds the exception, its causes and their frames
    assert caught.value is not None
    assert [ref() for ref in refs] == [None] * 3


def test_dropped_in_the_middle_it_does_not_pretend_to_be_whole(transport, writer):
    views, _ = pieces(3)
    body = EntropyBody(views, lambda: None)
    write = transport.write

    def drop_after_one(data):
        write(data)
        if len(transport.written) == 2:
            body.drop()

    transport.write = drop_after_one
    with pytest.raises(ConnectionResetError):
        run(EntropyPayload(body).write(writer))
    assert not body.finished
    assert SUFFIX not in transport.written


def test_the_text_cannot_be_read():
    views, _ = pieces(1)
    body = EntropyBody(views, lambda: None)
    payload = EntropyPayload(body)
    with pytest.raises(TypeError):
        payload.decode()
    assert "0000" not in repr(body) + repr(payload) + str(vars(payload).get("_value"))
