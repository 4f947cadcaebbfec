from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bridge.vcenter import VCenter
from bridge.vcenter import errors as e
from bridge.vcenter.replies import error_body, retry_after_seconds
from tests.vcenter.conftest import error, raw_server

ROUTE = "com.vmware.vapi.rest.httpNotFound"


def always(status, payload, **more):
    async def answer(request):
        if request.path == "/api/session":
            return None
        if isinstance(payload, str):
            return web.Response(status=status, text=payload, **more)
        return web.json_response(payload, status=status, **more)

    return answer


REPLIES = [
    (400, error("INVALID_ARGUMENT"), e.BadRequest),
    (403, error("UNAUTHORIZED", "vapi.security.authorization.invalid"), e.Unauthorized),
    (404, error("NOT_FOUND"), e.HostNotFound),
    (404, error(None), e.HostNotFound),
    (404, error("NOT_FOUND", ROUTE), e.NotFound),
    (404, "no such page", e.NotFound),
    (405, error("OPERATION_NOT_FOUND"), e.BadRequest),
    (413, "too large", e.TooLarge),
    (429, "slow down", e.Throttled),
    (429, error("SERVICE_UNAVAILABLE"), e.Throttled),
    (500, error("ERROR"), e.ServerError),
    (500, error("UNABLE_TO_ALLOCATE_RESOURCE"), e.ServerError),
    (502, "bad gateway", e.ServerError),
    (503, error("SERVICE_UNAVAILABLE"), e.HostUnavailable),
    (503, error(None), e.HostUnavailable),
    (503, "no healthy upstream", e.ServerError),
    (504, "", e.ServerError),
    (599, "[]", e.ServerError),
]


@pytest.mark.parametrize(("status", "payload", "kind"), REPLIES)
async def test_every_error_status_has_its_type(fake, client, status, payload, kind):
    fake.script.answer = always(status, payload)
    started = []
    for call, fate in (
        (client.pool("host-1"), e.SendFate.NOT_SENT),
        (
            client.add("host-1", [memoryview(b"AAAA")], lambda: started.append(1)),
            e.SendFate.REFUSED,
        ),
    ):
        with pytest.raises(e.VCenterError) as caught:
            await call
        assert type(caught.value) is kind
        assert caught.value.status == status
        assert caught.value.fate is fate
        assert str(caught.value).startswith("vCenter site-a: cannot ")
        assert "host-1" in str(caught.value)
        assert "\n" not in str(caught.value)
        if isinstance(payload, dict):
            assert caught.value.error_type == payload["error_type"]
            assert "some text" in str(caught.value)
        else:
            assert caught.value.error_type is None
    assert started == [1]
    fake.script.answer = None
    assert (await client.pool("host-1")).levels is not None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(fake, client, status):
    fake.script.answer = always(status, "", headers={"Location": "https://elsewhere.example/\tx"})
    for call in (client.pool("host-1"), client.add("host-1", [memoryview(b"AAAA")], bool)):
        with pytest.raises(e.ProtocolError, match=r"redirected to https://elsewhere\.example/"):
            await call
    assert {r.host for r in fake.script.requests} == {fake.url.removeprefix("https://")}
    assert fake.script.added == {}


@pytest.mark.parametrize("status", [201, 202, 204])
async def test_another_success_is_none(fake, client, status):
    fake.script.answer = always(status, "")
    with pytest.raises(e.ProtocolError) as caught:
        await client.add("host-1", [memoryview(b"AAAA")], bool)
    assert caught.value.fate is e.SendFate.UNKNOWN


@pytest.mark.parametrize("status", [200, 500])
async def test_a_huge_reply_is_not_read(fake, client, status):
    fake.script.answer = always(status, "[" + " " * (3 << 20) + "]")
    kind = e.ProtocolError if status == 200 else e.ServerError
    with pytest.raises(kind, match="larger than" if status == 200 else "500"):
        await client.pool("host-1")
    with pytest.raises(kind) as caught:
        await client.add("host-1", [memoryview(b"AAAA")], bool)
    assert caught.value.fate is (e.SendFate.UNKNOWN if status == 200 else e.SendFate.REFUSED)


async def test_a_reply_without_end_is_not_read(config, password):
    async def endless(head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with raw_server(endless) as url, VCenter(config(url), password) as client:
        with pytest.raises(e.ProtocolError, match="larger than 1048576 bytes"):
            await client.pool("host-1")


@pytest.mark.parametrize(
    "reply",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http(config, password, reply):
    async def odd(head, reader, writer):
        writer.write(reply)

    async with raw_server(odd) as url, VCenter(config(url), password) as client:
        with pytest.raises(e.ProtocolError, match="not HTTP"):
            await client.pool("host-1")


async def test_bad_chunks(config, password):
    async def odd(head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    async with raw_server(odd) as url, VCenter(config(url), password) as client:
        with pytest.raises(e.VCenterError):
            await client.pool("host-1")


async def test_retry_after_reaches_the_error(fake, client):
    fake.script.answer = always(429, "", headers={"Retry-After": "7"})
    with pytest.raises(e.Throttled) as caught:
        await client.pool("host-1")
    assert caught.value.retry_after_seconds == 7


def test_retry_after_in_all_its_forms():
    date = "%a, %d %b %Y %H:%M:%S GMT"
    soon = (datetime.now(UTC) + timedelta(seconds=90)).strftime(date)
    assert retry_after_seconds({}) is None
    assert retry_after_seconds({"Retry-After": " 12 "}) == 12
    assert retry_after_seconds({"Retry-After": "99999999999999"}) == 3600
    assert 85 < retry_after_seconds({"Retry-After": soon}) <= 90
    for nonsense in ("-1", "1.5", "soon", "\u0661", "Mon, 99 Foo 2020", f"Fri, {10**20} Dec 2020"):
        assert retry_after_seconds({"Retry-After": nonsense}) is None
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after_seconds(past) == 0
    # the server's clock, not ours
    assert retry_after_seconds(past | {"Date": "Wed, 21 Oct 2015 07:27:20 GMT"}) == 40


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"error_type": 5, "messages": {"id": 1}}',
        b'{"error_type": null}',
    ],
)
def test_an_error_body_may_be_anything(payload):
    said = error_body(payload)
    assert said.error_type is None
    assert not said.from_vcenter


def test_an_error_body_becomes_one_short_line():
    said = error_body(
        b'{"messages":[5,{"id":3},{"id":"a","default_message":"x\\n\\u0007 ' + b"y" * 999 + b'"}]}'
    )
    assert said.message_ids == ("a",)
    assert said.from_vcenter
    assert said.text.startswith("x \\x07 yyy")
    assert len(said.text) <= 200


async def test_a_gone_connection_is_made_anew(config, password):
    served = 0

    async def once(head, reader, writer):
        nonlocal served
        served += 1
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"status":"DISABLED"}')
        await writer.drain()
        raise ConnectionError

    async with raw_server(once) as url, VCenter(config(url), password) as client:
        for _ in range(5):
            await client.pool("host-1")
    assert served == 5
