"""The reader of replies: every way to say the same, and everything that is not HTTP."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.vcenter.fastpath.reply import HEAD_BYTES_MAX, ReplyReader
from bridge.vcenter.path import NotHttp

MAX = 1000


def read(data: bytes, step: int | None = None, *, end: bool = False) -> ReplyReader:
    reader = ReplyReader(MAX)
    step = step or max(1, len(data))
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    if end:
        reader.feed_end()
    return reader


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = [  # data, status, payload, keep-alive
    (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
    (OK + b"CONTENT-LENGTH:\t5 \r\nX: \xff\r\n\r\nhello", 200, b"hello", True),
    (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    (OK + b"Date: x\r\nContent-Type: a/b\r\nContent-Length: 2\r\nX: y\r\n\r\n{}", 200, b"{}", True),
    (OK + b"Content-Type: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False),
    (OK + b"Content-Type: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", 200, b"x", False),
    (OK + b"Connection: keep-alive\r\nContent-Length: 1\r\nX: y\r\n\r\nx", 200, b"x", True),
    (OK + b"Content-Length: 1\r\nConnection: keep-alive, close\r\n\r\nx", 200, b"x", False),
    (OK + b"Content-Length: 0005\r\n\r\nhello", 200, b"hello", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    (b"HTTP/1.1 204\r\nContent-Length: 5\r\n\r\n", 204, b"", True),
    (b"HTTP/1.1 304 \r\n\r\n", 304, b"", True),
    (b"HTTP/1.1 500 a\xe4b\r\nContent-Length: 1\r\n\r\nx", 500, b"x", True),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", False),
    (OK + b"Connection: Close\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", False),
    (OK + b"connection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", True),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}", 200, b"{}", True),
    (b"HTTP/1.1 103 E\r\nContent-Length: 9\r\n\r\n" + CHUNKED + b"0\r\n\r\n", 200, b"", True),
    (CHUNKED + b"3;z\r\nabc\r\n2;x=y;z\r\nde\r\n0\r\n\r\n", 200, b"abcde", True),
    (CHUNKED + b"00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200, b"0123456789", True),
]


@pytest.mark.parametrize("step", [None, 1, 2, 7])
@pytest.mark.parametrize(("data", "status", "payload", "keep_alive"), GOOD)
def test_what_is_well_said(data, status, payload, keep_alive, step):
    reader = read(data, step)
    assert reader.is_complete
    assert (reader.status, reader.payload, reader.keep_alive) == (status, payload, keep_alive)
    assert not reader.too_large


@pytest.mark.parametrize(("data", "status", "payload", "keep_alive"), GOOD)
def test_nothing_is_complete_too_soon(data, status, payload, keep_alive):
    for stop in range(len(data)):
        assert not read(data[:stop], end=True).is_complete


@pytest.mark.parametrize("step", [None, 1])
def test_without_a_length_it_goes_on_to_the_end(step):
    reader = read(OK + b"\r\n{}", step)
    assert reader.status == 200
    assert not reader.is_complete
    reader.feed_end()
    assert reader.is_complete
    assert reader.payload == b"{}"
    assert not reader.keep_alive


BAD = [
    b"nonsense\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.2 200 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 099 OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\n\n" + b"x" * 4,
    b"HTTP/1.1 101 Switching\r\n\r\n",
    b" " + OK + b"\r\n",
    OK + b"Content-Length : 5\r\n\r\nhello",
    OK + b" Content-Length: 5\r\n\r\nhello",
    OK + b"A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
    OK + b"A: b\nContent-Length: 5\r\n\r\nhello",
    OK + b"A: \x00\r\n\r\n",
    OK + b": empty\r\n\r\n",
    OK + b"Content-Length: x\r\n\r\n",
    OK + b"Content-Length: -1\r\n\r\n",
    OK + b"Content-Length: +1\r\n\r\n",
    OK + b"Content-Length: 1_0\r\n\r\n",
    OK + b"Content-Length: 1, 1\r\n\r\n",
    OK + b"Content-Length: \r\n\r\n",
    OK + b"Content-Length: 9999999999999999\r\n\r\n",
    OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    OK + b"Content-Length: 1\r\nContent-Type: a\r\nContent-Length: 1\r\n\r\nx",
    OK + b"Content-Length: 1\r\nA: \x00\r\n\r\nx",
    OK + b"Content-Length: 1\r\nContent-Type : a\r\n\r\nx",
    OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: gzip\r\n\r\n",
    OK + b"Content-Length: 1\r\n\r\nxy",
    b"HTTP/1.1 204 No Content\r\n\r\nx",
    CHUNKED + b"zz\r\n",
    CHUNKED + b"-1\r\n",
    CHUNKED + b"\r\n",
    CHUNKED + b"1\r\nxy\r\n",
    CHUNKED + b"1\nx\r\n",
    CHUNKED + b"1" * 16 + b"\r\n",
    CHUNKED + b"1;" + b"x" * 2000,
    CHUNKED + b"1;\xff\r\nx\r\n0\r\n\r\n",
    CHUNKED + b"1;a=b=c\r\nx\r\n0\r\n\r\n",
    CHUNKED + b"0\r\nnone\r\n\r\n",
    OK + b"A: " + b"a" * HEAD_BYTES_MAX + b"\r\n\r\n",
    OK + b"A: " + b"a" * HEAD_BYTES_MAX,
]


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_what_is_not_http(data, step):
    if step and len(data) > 10_000:
        step = 1000
    with pytest.raises(NotHttp):
        read(data, step)


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: %d\r\n\r\n" % (MAX + 1) + b"x",
        OK + b"\r\n" + b"x" * (MAX + 1),
        CHUNKED + b"%x\r\n" % (MAX + 1) + b"x" * (MAX + 1) + b"\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n" * (MAX + 1),
        CHUNKED + b"0\r\n" + b"a: b\r\n" * MAX,
    ],
    ids=range(5),
)
def test_what_is_too_large(data, step):
    reader = read(data, step)
    assert reader.is_complete
    assert reader.too_large
    assert reader.payload == b""
    assert not reader.keep_alive


@pytest.mark.parametrize(("data", "status", "payload", "keep_alive"), GOOD)
def test_what_comes_after_the_end_is_not_another_reply(data, status, payload, keep_alive):
    reader = read(data)
    with pytest.raises(NotHttp):
        reader.feed(data)
    assert (reader.status, reader.payload, reader.keep_alive) == (status, payload, keep_alive)


def test_the_largest_that_fits():
    reader = read(OK + b"Content-Length: %d\r\n\r\n" % MAX + b"x" * MAX)
    assert len(reader.payload) == MAX
    assert not reader.too_large


def test_the_headers_of_an_error_are_kept():
    reader = read(
        b"HTTP/1.1 429 No\r\nRETRY-AFTER: 7 \r\nDate: Then\r\nlocation: /A/\xe4\r\n"
        b"Retry-After: 8\r\nOther: x\r\nContent-Length: 0\r\n\r\n"
    )
    assert reader.headers is not None
    assert reader.headers.get("Retry-After") == "7"
    assert reader.headers.get("Location") == "/A/\xe4"
    assert "Other" not in reader.headers


@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


WORDS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 No\r\n", b"HTTP/1.0 200 OK\r\n",
        b"Content-Length: 2\r\n", b"content-length: 12\r\n", b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n", b"X-Other: 1\r\n", b"X: y\r\n", b"Content-Type: a\r\n",
        b"\r\n", b"\r\n\r\n", b"{}",
        b"2\r\n{}\r\n", b"0\r\n\r\n", b"a", b"HTTP/1.1 100 Go\r\n\r\n", b" ", b"\n", b"\x00",
    ]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(words=st.lists(WORDS, max_size=8), step=st.sampled_from([None, 1, 3]))
def test_what_is_understood_is_understood_as_aiohttp_does(loop, words, step):
    data = b"HTTP/1.1 200 OK\r\n" + b"".join(words)
    try:
        reader = read(data, step)
    except NotHttp:
        return  # aiohttp may be more lenient
    if not reader.is_complete:
        return
    parser = HttpResponseParser(
        BaseProtocol(loop), loop, 1 << 16, auto_decompress=False, read_until_eof=True
    )
    messages, _, _ = parser.feed_data(data)
    finals = [(m, p) for m, p in messages if m.code >= 200]
    message, payload = finals[0]
    assert message.code == reader.status
    assert payload.is_eof() or not reader.payload
    assert payload.read_nowait() == reader.payload
    assert reader.keep_alive is not message.should_close
