"""What only the fast path has: which one runs, and how it keeps its own connections."""

import asyncio

import pytest

from bridge.vcenter import VCenter
from bridge.vcenter import errors as e
from bridge.vcenter.fastpath import FastPath, is_tested_with, lines
from bridge.vcenter.plainpath import PlainPath
from tests.vcenter.conftest import raw_server, tcp_server

LEVELS = b'{"capacity":9,"currently_available":1,"low_watermark":1,"inactive_source_timeout":60}'
OK = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b"
DISABLED = b'{"status":"DISABLED"}'


async def read_body(head, reader) -> bytes:
    for line in head.split("\r\n"):
        if line.lower().startswith("content-length"):
            return await reader.readexactly(int(line.partition(":")[2]))
    return b""


@pytest.fixture
def fast(settings):
    """Settings that take the fast path."""
    return lambda url, **more: settings(url, fast_path=True, **more)


@pytest.fixture(params=["plain", "tls"])
def tls(request, server_tls):
    return server_tls if request.param == "tls" else None


async def test_the_configuration_chooses(config, password, path):
    client = VCenter(config("http://127.0.0.1:1"), password)
    client._wire.open()
    assert isinstance(client._wire._path, FastPath if path == "fast" else PlainPath)
    await client.close()


async def test_an_aiohttp_that_was_not_tested_takes_the_plain_path(fast, password, monkeypatch):
    monkeypatch.setattr("bridge.vcenter.wire.is_tested_with", lambda: False)
    client = VCenter(fast("http://127.0.0.1:1"), password)
    client._wire.open()
    assert isinstance(client._wire._path, PlainPath)
    await client.close()


def test_which_releases_were_tested():
    assert is_tested_with()
    assert is_tested_with("3.12.0")
    assert is_tested_with("3.14.99")
    for other in ("3.11.18", "3.15.0", "3.15.0a1", "4.0.0", "2.14.1", "nightly"):
        assert not is_tested_with(other)


async def test_what_is_sent_is_what_the_plain_path_sends(settings, password, server_tls):
    heads = []

    async def note(head, reader, writer):
        body = await read_body(head, reader)
        first, *fields = head.rstrip().split("\r\n")
        heads.append((first, sorted(field.lower() for field in fields), body))
        payload = LEVELS if body else DISABLED
        writer.write(OK % (b"", len(payload), payload))

    async with raw_server(note, server_tls) as url:
        for is_fast in (True, False):
            async with VCenter(settings(url, fast_path=is_fast), password) as client:
                await client.pool("host-1 \u00e4/?")
                await client.add("host-2", [memoryview(b"AAAA")], bool)
    assert heads[:2] == heads[2:]


async def test_a_login_has_a_length(fast, password):
    heads = []

    async def login(reader, writer):
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(OK % (b"", 3, b'"x"'))

    async with tcp_server(login) as port:
        client = VCenter(fast(f"http://127.0.0.1:{port}", request_timeout_seconds=1.0), password)
        await client.open()
        client._session._headers = None  # nobody there answers a logout
        await client.close()
    assert heads[0].startswith("POST /api/session HTTP/1.1\r\n")
    assert "\r\nContent-Length: 0\r\n" in heads[0]


async def test_no_more_connections_than_the_limit_and_all_are_served_in_turn(fast, password, tls):
    connections = set()
    order = []

    async def slow(head, reader, writer):
        connections.add(writer)
        order.append(int(head.split("/host-")[1].split("/")[0]))
        await asyncio.sleep(0.002)
        writer.write(OK % (b"", len(DISABLED), DISABLED))

    async with (
        raw_server(slow, tls) as url,
        VCenter(fast(url, max_in_flight=2), password) as client,
    ):
        await asyncio.gather(*(client.pool(f"host-{n}") for n in range(60)))
    assert len(connections) <= 4  # a login and a look at the inventory have their own
    assert sorted(order) == list(range(60))
    assert all(abs(place - n) <= 20 for place, n in enumerate(order))


async def test_those_who_wait_and_go_away_cost_nobody_a_turn(fast, password):
    go_on = asyncio.Event()

    async def stuck(head, reader, writer):
        await go_on.wait()
        writer.write(OK % (b"", len(DISABLED), DISABLED))

    async with (
        raw_server(stuck) as url,
        VCenter(fast(url, max_in_flight=1), password) as client,
    ):
        tasks = [asyncio.create_task(client.pool(f"host-{n}")) for n in range(30)]
        await asyncio.sleep(0.05)
        for task in tasks[::2]:
            task.cancel()
        go_on.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(x, asyncio.CancelledError) for x in ended) == 15
        assert sum(not isinstance(x, BaseException) for x in ended) == 15
        await asyncio.wait_for(asyncio.gather(*map(client.pool, "abcdef")), 5)


async def test_waiting_for_a_connection_counts_as_waiting(fast, password):
    bodies = []
    all_taken = asyncio.Event()

    async def stuck(head, reader, writer):
        bodies.append(await read_body(head, reader))
        if len(bodies) == 3:
            all_taken.set()
        await asyncio.sleep(60)

    def add(host):
        return asyncio.create_task(client.add(host, [memoryview(b"AAAA")], bool))

    async with raw_server(stuck) as url:
        one = fast(url, max_in_flight=1, request_timeout_seconds=60)
        async with VCenter(one, password) as client:
            holders = [add(f"host-{n}") for n in range(3)]
            await asyncio.wait_for(all_taken.wait(), 20)
            client._wire._path._seconds = 0.3  # or a connection could come free at the last moment
            waiters = [add(f"host-{n}") for n in range(3, 12)]
            ended = await asyncio.wait_for(asyncio.gather(*waiters, return_exceptions=True), 20)
            assert not any(holder.done() for holder in holders)
            for holder in holders:
                holder.cancel()
            await asyncio.gather(*holders, return_exceptions=True)
    assert [type(x) for x in ended] == [e.TimedOut] * 9
    assert {x.fate for x in ended} == {e.SendFate.NOT_SENT}
    assert len(bodies) == 3


async def test_connection_close_is_obeyed(fast, password, tls):
    connections = set()

    async def once(head, reader, writer):
        connections.add(writer)
        writer.write(OK % (b"Connection: close\r\n", len(DISABLED), DISABLED))

    async with raw_server(once, tls) as url, VCenter(fast(url), password) as client:
        for expected in (1, 2, 3):
            await client.pool("host-1")
            assert len(connections) == expected


async def test_bytes_that_nobody_asked_for_end_a_connection(fast, password, tls):
    connections = []

    async def talkative(head, reader, writer):
        connections.append(writer)
        writer.write(OK % (b"", len(DISABLED), DISABLED))
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(talkative, tls) as url, VCenter(fast(url), password) as client:
        for _ in range(3):
            await client.pool("host-1")
            await asyncio.sleep(0.1)
    assert len(set(connections)) == 3


async def test_a_connection_that_was_idle_for_long_is_not_used_again(fast, password, monkeypatch):
    monkeypatch.setattr(lines, "KEEP_ALIVE_SECONDS", 0.05)
    connections = set()

    async def fine(head, reader, writer):
        connections.add(writer)
        writer.write(OK % (b"", len(DISABLED), DISABLED))

    async with raw_server(fine) as url, VCenter(fast(url), password) as client:
        for expected in (1, 2):
            await client.pool("host-1")
            assert len(connections) == expected
            await asyncio.sleep(0.15)
            assert client._wire._path._lines._idle == []


async def test_a_get_is_repeated_once_on_a_connection_that_is_gone(fast, password):
    served = 0

    async def every_other(head, reader, writer):
        nonlocal served
        served += 1
        if served in (2, 4, 5):
            raise ConnectionError
        writer.write(OK % (b"", len(DISABLED), DISABLED))

    async with raw_server(every_other) as url, VCenter(fast(url), password) as client:
        await client.pool("host-1")
        await client.pool("host-1")
        assert served == 3
        with pytest.raises(e.Unreachable):
            await client.pool("host-1")
        assert served == 5


async def test_an_add_is_never_repeated(fast, password):
    served = 0

    async def once(head, reader, writer):
        nonlocal served
        served += 1
        await read_body(head, reader)
        if served > 1:
            raise ConnectionError
        writer.write(OK % (b"", len(LEVELS), LEVELS))

    async with raw_server(once) as url, VCenter(fast(url), password) as client:
        await client.add("host-1", [memoryview(b"AAAA")], bool)
        with pytest.raises(e.Unreachable) as caught:
            await client.add("host-1", [memoryview(b"AAAA")], bool)
    assert caught.value.fate is e.SendFate.UNKNOWN
    assert served == 2


async def test_a_start_that_fails_sends_nothing(config, password, tls):
    """On both paths: the caller found out late that the bytes must not be sent."""
    bodies = []

    async def fine(head, reader, writer):
        bodies.append(await read_body(head, reader))
        writer.write(OK % (b"", len(LEVELS), LEVELS))

    def refuse():
        raise KeyError("purged")

    async with raw_server(fine, tls) as url, VCenter(config(url), password) as client:
        with pytest.raises(KeyError, match="purged") as caught:
            await client.add("host-1", [memoryview(b"SECRET==")], refuse)
        assert caught.value.__cause__ is None
        await client.add("host-1", [memoryview(b"AAAA")], bool)
    assert bodies == [b'{"data":"AAAA"}']


async def test_a_slow_reader_holds_the_sender_back(fast, password, tls):
    """Of a large body most stays in the ring until the other end takes it."""
    go_on = asyncio.Event()
    handed_over = 0

    async def slow(head, reader, writer):
        await go_on.wait()
        await read_body(head, reader)
        writer.write(OK % (b"", len(LEVELS), LEVELS))

    def pieces():
        nonlocal handed_over
        for _ in range(2000):
            yield memoryview(bytearray(b"A" * 16384))

    async with raw_server(slow, tls) as url, VCenter(fast(url), password) as client:
        task = asyncio.create_task(client.add("host-1", list(pieces()), bool))
        await asyncio.sleep(0.3)
        (line,) = client._wire._path._lines._busy
        assert line._paused
        assert line.transport.get_write_buffer_size() < 2 << 20
        go_on.set()
        await asyncio.wait_for(task, 20)


async def test_close_ends_those_who_wait(fast, password):
    async def stuck(head, reader, writer):
        await asyncio.sleep(60)

    async with raw_server(stuck) as url:
        client = VCenter(fast(url, max_in_flight=1), password)
        await client.open()
        tasks = [asyncio.create_task(client.pool(f"host-{n}")) for n in range(6)]
        await asyncio.sleep(0.05)
        await client._wire.close()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(x) for x in ended} == {e.Unreachable}
        await client.close()


async def test_the_limit_of_connections_can_be_raised_and_lowered(fast, password):
    connections, most = 0, []
    go_on = asyncio.Event()

    async def counted(head, reader, writer):
        nonlocal connections
        connections += 1
        most.append(connections)
        await go_on.wait()
        connections -= 1
        writer.write(OK % (b"", len(DISABLED), DISABLED))

    async def reached(n):
        async with asyncio.timeout(20):
            while max(most, default=0) < n:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # for one too many
        return max(most)

    async def busy(client, n, before, after):
        most.clear()
        go_on.clear()
        tasks = [asyncio.create_task(client.pool(f"host-{n}")) for n in range(20)]
        at_first = await reached(before)
        client.allow(n)
        raised = await reached(after)
        go_on.set()
        await asyncio.gather(*tasks)
        assert (at_first, raised) == (before, after)

    async with raw_server(counted) as url, VCenter(fast(url, max_in_flight=2), password) as client:
        await busy(client, 6, 4, 8)  # those who wait get what was added
        await busy(client, 1, 8, 8)
        await busy(client, 1, 3, 3)
        client.allow(2)
        await busy(client, 2, 4, 4)
