"""However a request ends: what became of its entropy, and that nothing goes on holding it."""

import asyncio
import gc
import time
import weakref

import pytest

from bridge.vcenter import VCenter
from bridge.vcenter import errors as e
from tests.vcenter.conftest import LEVELS, raw_server

PIECE_BYTES = 16384
SMALL = 4
LARGE = 1500  # 24 MB: more than the kernel holds for a reader that is slow
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
DONE = (
    b'{"capacity":524288,"currently_available":300000,'
    b'"low_watermark":104857,"inactive_source_timeout":60}'
)
EXPIRED = b'{"error_type":"UNAUTHENTICATED","messages":[]}'


class Owner(bytearray):
    """Exports a piece, and can be seen to die."""


class Given:
    """Pieces that are given away, and whether anything still holds one."""

    def __init__(self, count: int) -> None:
        owners = [Owner(b"%04d" % (i % 9999) * (PIECE_BYTES // 4)) for i in range(count)]
        self._refs = [weakref.ref(owner) for owner in owners]
        self._views: tuple[memoryview, ...] | None = tuple(map(memoryview, owners))
        self.starts = 0

    def take(self) -> tuple[memoryview, ...]:
        views, self._views = self._views, None
        assert views is not None
        return views

    def start(self) -> None:
        self.starts += 1

    def alive(self) -> int:
        return sum(ref() is not None for ref in self._refs)

    async def released(self, seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while self.alive():
            assert time.monotonic() < deadline, f"{self.alive()} pieces are still held"
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def no_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(params=["plain", "tls"])
def tls(request, server_tls):
    return server_tls if request.param == "tls" else None


async def body_of(head, reader) -> bytes:
    length = next(h for h in head.split("\r\n") if h.lower().startswith("content-length"))
    return await reader.readexactly(int(length.partition(":")[2]))


async def test_success(config, password, tls):
    bodies = []

    async def fine(head, reader, writer):
        bodies.append(await body_of(head, reader))
        writer.write(OK % (len(DONE), DONE))

    async with raw_server(fine, tls) as url, VCenter(config(url), password) as client:
        for count in (1, SMALL, 64):
            given = Given(count)
            levels = await client.add("host-1", given.take(), given.start)
            assert levels.capacity_bytes == LEVELS["capacity"]
            assert given.starts == 1
            await given.released()
            sent = b"".join(b"%04d" % i * (PIECE_BYTES // 4) for i in range(count))
            assert bodies.pop() == b'{"data":"' + sent + b'"}'


async def test_the_connection_is_used_again(config, password, tls):
    connections = set()

    async def fine(head, reader, writer):
        connections.add(writer)
        await body_of(head, reader)
        status = b"200 OK" if len(connections) == 1 else b"500 Error"
        writer.write(OK.replace(b"200 OK", status) % (len(DONE), DONE))

    async with raw_server(fine, tls) as url, VCenter(config(url), password) as client:
        for _ in range(20):
            given = Given(16)
            await client.add("host-1", given.take(), given.start)
    assert len(connections) == 1


async def test_an_error_status_after_the_whole_body(config, password, tls):
    connections = set()

    async def busy(head, reader, writer):
        connections.add(writer)
        await body_of(head, reader)
        writer.write(OK.replace(b"200 OK", b"429 Slow") % (2, b"{}"))

    async with raw_server(busy, tls) as url, VCenter(config(url), password) as client:
        for _ in range(3):
            given = Given(SMALL)
            with pytest.raises(e.Throttled) as caught:
                await client.add("host-1", given.take(), given.start)
            assert caught.value.fate is e.SendFate.REFUSED
            await given.released()
    assert len(connections) == 1


@pytest.mark.parametrize("reading", [True, False])
async def test_an_early_reply_cuts_the_connection_and_counts(config, password, tls, reading):
    """The server answers in the middle of the body, and reads on only when all is let go."""
    let_go = asyncio.Event()
    got = asyncio.get_running_loop().create_future()

    async def early(head, reader, writer):
        if reading:
            await reader.readexactly(100_000)
        writer.write(OK.replace(b"200 OK", b"401 No") % (len(EXPIRED), EXPIRED))
        await writer.drain()
        await let_go.wait()
        size = 0
        try:
            while chunk := await reader.read(1 << 20):
                size += len(chunk)
        except ConnectionError:
            pass
        got.set_result(size)
        raise ConnectionError

    async with raw_server(early, tls) as url, VCenter(config(url), password) as client:
        given = Given(LARGE)
        with pytest.raises(e.Unauthenticated) as caught:
            await client.add("host-1", given.take(), given.start)
        assert caught.value.fate is e.SendFate.REFUSED
        assert caught.value.error_type == "UNAUTHENTICATED"
        assert given.starts == 1
        await given.released()
        let_go.set()
        # the connection ends, after what the kernels held
        assert await asyncio.wait_for(got, 10) < LARGE * PIECE_BYTES * 0.8


async def test_an_early_reply_while_the_kernel_still_has_some_ends_the_connection(
    config, password, tls
):
    """All was handed to the transport and none of it waits there, but it is not yet out."""
    connections = set()
    read_on = asyncio.Event()

    async def early(head, reader, writer):
        connections.add(writer)
        writer.write(OK.replace(b"200 OK", b"429 Slow") % (2, b"{}"))
        await writer.drain()
        await read_on.wait()
        await body_of(head, reader)

    async with (
        raw_server(early, tls, receive_bytes=2048) as url,
        VCenter(config(url), password) as client,
    ):
        for expected in (1, 2, 3):
            given = Given(8)
            with pytest.raises(e.Throttled):
                await client.add("host-1", given.take(), given.start)
            await given.released()
            assert len(connections) == expected
        read_on.set()


@pytest.mark.parametrize("status", [b"200 OK", b"500 Error"])
async def test_who_has_not_read_it_all_is_believed_a_success_only(config, password, tls, status):
    """All of the body is with the kernel, and the other end takes none of it yet."""
    connections = []
    read_on = asyncio.Event()

    async def early(head, reader, writer):
        connections.append(writer)
        writer.write(OK.replace(b"200 OK", status) % (len(DONE), DONE))
        await writer.drain()
        await read_on.wait()
        await body_of(head, reader)

    async with (
        raw_server(early, tls, receive_bytes=4096) as url,
        VCenter(config(url), password) as client,
    ):
        for _ in range(2):
            given = Given(SMALL)
            await asyncio.gather(
                client.add("host-1", given.take(), given.start), return_exceptions=True
            )
            await given.released()
            read_on.set()
        assert (connections[0] is connections[1]) is (status == b"200 OK")


@pytest.mark.parametrize("complete", [True, False])
async def test_an_early_success_is_nonsense(config, password, tls, complete):
    async def early(head, reader, writer):
        writer.write(OK % (len(DONE) + (not complete), DONE))
        await writer.drain()
        await asyncio.sleep(60)

    async with raw_server(early, tls) as url, VCenter(config(url), password) as client:
        given = Given(LARGE)
        with pytest.raises(e.ProtocolError) as caught:
            await client.add("host-1", given.take(), given.start)
        assert caught.value.fate is e.SendFate.UNKNOWN
        await given.released()


async def test_an_early_error_whose_text_never_comes_still_counts(config, password, tls):
    async def early(head, reader, writer):
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(60)

    async with raw_server(early, tls) as url, VCenter(config(url), password) as client:
        given = Given(LARGE)
        with pytest.raises(e.TooLarge) as caught:
            await asyncio.wait_for(client.add("host-1", given.take(), given.start), 5)
        assert caught.value.fate is e.SendFate.REFUSED
        await given.released()


@pytest.mark.parametrize("count", [SMALL, LARGE])
async def test_a_reset_without_a_reply(config, password, tls, count):
    async def reset(head, reader, writer):
        await reader.readexactly(1000)
        raise ConnectionError

    async with raw_server(reset, tls) as url, VCenter(config(url), password) as client:
        given = Given(count)
        with pytest.raises(e.Unreachable) as caught:
            await client.add("host-1", given.take(), given.start)
        assert caught.value.fate is e.SendFate.UNKNOWN
        assert given.starts == 1
        await given.released()


@pytest.mark.parametrize(
    ("sent", "ending"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-", (e.Unreachable, e.SendFate.UNKNOWN)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", (e.Unreachable, e.SendFate.UNKNOWN)),
        (b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\n{", (e.ServerError, e.SendFate.REFUSED)),
    ],
)
async def test_a_reset_in_the_middle_of_the_reply(config, password, tls, sent, ending):
    async def reset(head, reader, writer):
        await body_of(head, reader)
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.05)
        raise ConnectionError

    async with raw_server(reset, tls) as url, VCenter(config(url), password) as client:
        given = Given(SMALL)
        with pytest.raises(ending[0]) as caught:
            await client.add("host-1", given.take(), given.start)
        assert caught.value.fate is ending[1]
        await given.released()


@pytest.mark.parametrize("count", [SMALL, LARGE])
async def test_a_timeout(config, password, tls, count):
    """A small body is out and waits for the reply; a large one is stuck in the transport."""

    async def stuck(head, reader, writer):
        await asyncio.sleep(60)

    async with (
        raw_server(stuck, tls) as url,
        VCenter(config(url, request_timeout_seconds=0.5), password) as client,
    ):
        given = Given(count)
        with pytest.raises(e.TimedOut) as caught:
            await client.add("host-1", given.take(), given.start)
        assert caught.value.fate is e.SendFate.UNKNOWN
        await given.released()


async def test_a_timeout_in_the_middle_of_the_reply(config, password, tls):
    async def stuck(head, reader, writer):
        await body_of(head, reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(60)

    async with (
        raw_server(stuck, tls) as url,
        VCenter(config(url, request_timeout_seconds=0.5), password) as client,
    ):
        given = Given(SMALL)
        with pytest.raises(e.TimedOut) as caught:
            await client.add("host-1", given.take(), given.start)
        assert caught.value.fate is e.SendFate.UNKNOWN
        await given.released()


@pytest.mark.parametrize("count", [SMALL, LARGE])
async def test_a_cancellation(config, password, tls, count):
    entered = asyncio.Event()

    async def stuck(head, reader, writer):
        entered.set()
        await asyncio.sleep(60)

    async with raw_server(stuck, tls) as url, VCenter(config(url), password) as client:
        given = Given(count)
        task = asyncio.create_task(client.add("host-1", given.take(), given.start))
        await entered.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert given.starts == 1
        assert caught.value is not None
        await given.released()


async def test_nothing_is_sent_where_nobody_listens(config, password, tls):
    async def fine(head, reader, writer):
        await body_of(head, reader)
        writer.write(OK % (len(DONE), DONE))
        await writer.drain()
        raise ConnectionError

    async with raw_server(fine, tls) as url:
        client = VCenter(config(url), password)
        await client.open()
        given = Given(SMALL)
        await client.add("host-1", given.take(), given.start)
    await asyncio.sleep(0.05)  # until the end of the connection has been noticed
    given = Given(SMALL)
    with pytest.raises(e.Unreachable) as caught:
        await client.add("host-1", given.take(), given.start)
    await client.close()
    assert caught.value.fate is e.SendFate.NOT_SENT
    assert given.starts == 0
    await given.released()


async def test_nothing_is_sent_without_a_login(config, password, closed_port):
    client = VCenter(config(f"https://localhost:{closed_port}"), password)
    client._wire.open()
    given = Given(SMALL)
    with pytest.raises(e.Unreachable) as caught:
        await client.add("host-1", given.take(), given.start)
    await client.close()
    assert caught.value.fate is e.SendFate.NOT_SENT
    assert given.starts == 0
    await given.released()


async def test_many_at_once_that_all_end_badly(config, password, tls):
    """With more requests than connections, and cancellations among them."""

    async def reset(head, reader, writer):
        await reader.readexactly(500_000)
        raise ConnectionError

    async with (
        raw_server(reset, tls) as url,
        VCenter(config(url, max_in_flight=4), password) as client,
    ):
        givens = [Given(64) for _ in range(24)]
        tasks = [
            asyncio.create_task(client.add("host-1", given.take(), given.start)) for given in givens
        ]
        await asyncio.sleep(0.02)
        for task in tasks[::5]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(x, e.Unreachable | asyncio.CancelledError) for x in ended)
        for given, error in zip(givens, ended, strict=True):
            if isinstance(error, e.Unreachable):
                started = given.starts == 1
                assert error.fate is (e.SendFate.UNKNOWN if started else e.SendFate.NOT_SENT)
            await given.released()
