import json
import re

import pytest
from aiohttp import web

from bridge.vcenter import Levels, Pool, PoolStatus, VCenter
from bridge.vcenter.errors import ProtocolError, SendFate
from tests.vcenter.conftest import LEVELS, raw_server


def replying(value):
    async def answer(request):
        if request.path != "/api/session":
            text = value if isinstance(value, str) else json.dumps(value)
            return web.Response(text=text, content_type="application/json")
        return None

    return answer


async def test_a_pool(fake, client):
    assert await client.pool("host-1") == Pool(
        PoolStatus.ENABLED, Levels(524288, 300000, 104857, 60, low_watermark_was_bits=False)
    )
    assert (await client.pool("host-1")).levels.room_bytes == 224288


async def test_an_add_sends_just_the_pieces(fake, client):
    text = memoryview(b"AAECAwQFBgcICQoL")
    levels = await client.add("host-7", (text[:4], text[4:4], text[4:12], text[12:]), bool)
    assert levels == Levels(524288, 300000, 104857, 60)
    assert fake.script.added == {"host-7": bytes(range(12))}
    sent = fake.script.requests[-1]
    assert sent.headers["Content-Length"] == str(len('{"data":""}') + 16)
    assert "Transfer-Encoding" not in sent.headers


async def test_text_that_is_no_base64_gets_no_further_than_its_own_request(config, password):
    forged = b'AAAA"}\r\n\r\nDELETE /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'
    heads, bodies = [], []

    async def serve(head, reader, writer):
        heads.append(head.split("\r\n", 1)[0])
        length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
        bodies.append(await reader.readexactly(int(length[1]) if length else 0))
        reply = json.dumps(LEVELS | {"status": "ENABLED"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(reply), reply))

    async with raw_server(serve) as url, VCenter(config(url), password) as client:
        await client.add("host-1", [memoryview(forged)], bool)
        await client.pool("host-2")
    assert bodies == [b'{"data":"' + forged + b'"}', b""]
    path = "/api/vcenter/host/{}/entropy/external-pool"
    assert heads == [
        f"POST {path.format('host-1')}?action=add HTTP/1.1",
        f"GET {path.format('host-2')} HTTP/1.1",
    ]


async def test_a_host_id_is_no_path(fake, client):
    await client.pool("host-1/../x?y=%2e#z")
    assert fake.script.requests[-1].match_info["host"] == "host-1/../x?y=%2e#z"


@pytest.mark.parametrize(
    ("reply", "pool"),
    [
        ({"status": "DISABLED"}, Pool(PoolStatus.DISABLED, None)),
        (
            {"status": "DISABLED", **dict.fromkeys(LEVELS), "news": 1},
            Pool(PoolStatus.DISABLED, None),
        ),
        ({"status": "DISABLED", **LEVELS}, Pool(PoolStatus.DISABLED, None)),
        (
            {"status": "ENABLED", **LEVELS, "low_watermark": 838856},
            Pool(PoolStatus.ENABLED, Levels(524288, 300000, 104857, 60, True)),
        ),
        (
            {"status": "ENABLED", "capacity": 1000, "currently_available": 0},
            Pool(PoolStatus.ENABLED, Levels(1000, 0, 200, 60)),
        ),
        (
            {"status": "ENABLED", **LEVELS, "low_watermark": None, "currently_available": 524289},
            Pool(PoolStatus.ENABLED, Levels(524288, 524289, 104857, 60)),
        ),
    ],
)
async def test_what_a_pool_may_say(fake, client, reply, pool):
    fake.script.answer = replying(reply)
    read = await client.pool("host-1")
    assert read == pool
    assert read.levels is None or read.levels.room_bytes >= 0


ABSURD = [
    "",
    "<html>",
    "null",
    "[]",
    "{}",
    {"value": {"status": "ENABLED", **LEVELS}},
    {"status": "ENABLED"},
    {"status": "ENABLED", **LEVELS, "capacity": None},
    *(
        {"status": "ENABLED", **LEVELS, field: value}
        for field in LEVELS
        for value in (-1, 1.5, "9", True, 1 << 63, [], float("nan"))
    ),
]


@pytest.mark.parametrize("reply", ABSURD)
async def test_what_makes_no_sense(fake, client, reply):
    fake.script.answer = replying(reply)
    with pytest.raises(ProtocolError, match="makes no sense") as caught:
        await client.pool("host-1")
    assert caught.value.status == 200
    if reply == ABSURD[5]:
        return
    with pytest.raises(ProtocolError) as caught:
        await client.add("host-1", [memoryview(b"AAAA")], bool)
    assert caught.value.fate is SendFate.UNKNOWN


@pytest.mark.parametrize("status", ["UNKNOWN", None, 5, "enabled"])
async def test_a_status_of_no_kind(fake, client, status):
    fake.script.answer = replying({"status": status, **LEVELS})
    with pytest.raises(ProtocolError, match="status"):
        await client.pool("host-1")


async def test_a_compressed_reply_is_not_read(fake, client):
    async def squeezed(request):
        if request.path != "/api/session":
            response = web.json_response({"status": "ENABLED", **LEVELS})
            response.enable_compression(web.ContentCoding.gzip)
            return response
        return None

    fake.script.answer = squeezed
    with pytest.raises(ProtocolError, match="not JSON"):
        await client.pool("host-1")


async def test_an_add_of_nothing_is_a_mistake(client):
    with pytest.raises(ValueError, match="at least one byte"):
        await client.add("host-1", [memoryview(b"")], bool)
