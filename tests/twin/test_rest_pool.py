"""The external pool over TLS, and that every reply is JSON of the contract's shape."""

import asyncio
import ssl
import urllib.error
import urllib.request

import aiohttp
import pytest

from bridge.twin.drain import DrainProfile
from bridge.twin.fleet import ConnectionState, PowerState

CAPACITY = 524_288


async def test_an_enabled_pool_shows_all_four_levels(start_twin):
    twin = await start_twin(initial_level=0.25, drain_bytes_per_second=100)
    twin.clock.jump(10)
    reply = await twin.pool("host-1001")
    assert reply.status == 200
    assert reply.json == {
        "status": "ENABLED",
        "capacity": CAPACITY,
        "currently_available": CAPACITY // 4 - 1000,
        "low_watermark": 104_857,
        "inactive_source_timeout": 60,
    }


async def test_a_disabled_pool_shows_none_and_takes_nothing(start_twin):
    twin = await start_twin(hosts=3, disabled_hosts=1)
    assert (await twin.pool("host-1003")).json == {"status": "DISABLED"}
    refused = await twin.add("host-1003", b"x" * 300)
    assert (refused.status, refused.json["error_type"]) == (500, "ERROR")
    assert (await twin.pool("host-1002")).json["status"] == "ENABLED"


async def test_an_addition_returns_the_new_levels(start_twin):
    twin = await start_twin(initial_level=0.5)
    reply = await twin.add("host-1002", bytes(range(256)) * 12)
    assert reply.status == 200
    assert reply.json == {
        "capacity": CAPACITY,
        "currently_available": CAPACITY // 2 + 3072,
        "low_watermark": 104_857,
        "inactive_source_timeout": 60,
    }
    assert (await twin.pool("host-1001")).json["currently_available"] == CAPACITY // 2


async def test_what_has_no_room_is_discarded_without_an_error(start_twin):
    twin = await start_twin(initial_level=0.999)
    room = CAPACITY - twin.center.fleet.host("host-1001").pool.level_bytes
    reply = await twin.add("host-1001", b"\x00\xff" * 1000)
    assert reply.status == 200
    assert reply.json["currently_available"] == CAPACITY
    pool = twin.center.fleet.host("host-1001").pool
    assert (pool.accepted_bytes, pool.discarded_bytes) == (room, 2000 - room)
    assert twin.center.counts.discarded_bytes == 2000 - room


async def test_a_mebibyte_fits_into_one_request(start_twin):
    twin = await start_twin(initial_level=0)
    reply = await twin.add("host-1001", bytes(1024 * 1024))
    assert reply.json["currently_available"] == CAPACITY
    too_long = await twin.post_body("host-1001", b'{"data":"' + b"A" * (3 << 20) + b'"}')
    assert too_long.status == 413
    assert too_long.json["error_type"] == "ERROR"


async def test_a_body_in_chunks_is_as_good(start_twin):
    twin = await start_twin(initial_level=0)

    async def pieces():
        yield b'{"data":"AAEC'
        yield b'Aw=="}'

    reply = await twin.post_body("host-1001", pieces())
    assert reply.json["currently_available"] == 4


@pytest.mark.parametrize(
    ("state", "power"),
    [
        (ConnectionState.DISCONNECTED, PowerState.POWERED_ON),
        (ConnectionState.NOT_RESPONDING, PowerState.POWERED_ON),
        (ConnectionState.CONNECTED, PowerState.POWERED_OFF),
        (ConnectionState.CONNECTED, PowerState.STANDBY),
    ],
)
async def test_a_host_that_vcenter_does_not_reach_is_503(start_twin, state, power):
    twin = await start_twin()
    change = {"connection_state": state, "power_state": power}
    assert (await twin.admin("POST", "hosts/host-1001", change)).status == 200
    for reply in (await twin.pool("host-1001"), await twin.add("host-1001", b"abc")):
        assert reply.status == 503
        assert reply.json["error_type"] == "SERVICE_UNAVAILABLE"


async def test_an_unknown_host_and_an_unknown_path_differ_by_their_ids(start_twin):
    twin = await start_twin()
    nobody = await twin.pool("host-9")
    nowhere = await twin.ask("GET", "/api/vcenter/host/host-1001/entropy")
    assert nobody.status == nowhere.status == 404
    assert nobody.json["error_type"] == nowhere.json["error_type"] == "NOT_FOUND"
    assert nowhere.json["messages"][0]["id"] == "com.vmware.vapi.rest.httpNotFound"
    assert nobody.json["messages"][0]["id"] != "com.vmware.vapi.rest.httpNotFound"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api", 405),
        ("GET", "/api/vcenter/host/host-1001", 404),
        ("GET", "/rest/com/vmware/cis/session", 404),
        ("PUT", "/api/session", 405),
        ("HEAD", "/api/vcenter/host", 405),
        ("DELETE", "/api/vcenter/host/host-1001/entropy/external-pool", 405),
    ],
)
async def test_other_paths_and_methods_are_refused_in_json(start_twin, method, path, status):
    twin = await start_twin()
    reply = await twin.ask(method, path)
    assert reply.status == status
    if method != "HEAD":
        assert reply.json["messages"][0]["id"]


@pytest.mark.parametrize("query", ["", "?action=remove", "?action=add&action=add", "?add"])
async def test_only_the_action_add_exists(start_twin, query):
    twin = await start_twin()
    reply = await twin.add("host-1001", b"abc", query=query)
    assert reply.status == 404
    assert reply.json["messages"][0]["id"] == "com.vmware.vapi.rest.httpNotFound"
    assert twin.center.counts.accepted_bytes == 0


async def test_other_parameters_are_refused(start_twin):
    twin = await start_twin()
    reply = await twin.add("host-1001", b"abc", query="?action=add&force=true")
    assert (reply.status, reply.json["error_type"]) == (400, "UNEXPECTED_INPUT")
    get = await twin.ask("GET", "/api/vcenter/host/host-1001/entropy/external-pool?x=1")
    assert (get.status, get.json["error_type"]) == (400, "UNEXPECTED_INPUT")


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
async def test_only_json_is_taken(start_twin, content_type):
    twin = await start_twin()
    reply = await twin.add("host-1001", b"abc", headers={"Content-Type": content_type})
    assert reply.status == 415
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert (await twin.add("host-1001", b"abc", headers=charset)).status == 200


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":""}', b'{"data":"A"}', b'{"data":"AB=="}'])
async def test_a_malformed_body_is_an_invalid_argument_and_changes_nothing(start_twin, body):
    twin = await start_twin()
    reply = await twin.post_body("host-1001", body)
    assert (reply.status, reply.json["error_type"]) == (400, "INVALID_ARGUMENT")
    assert twin.center.fleet.host("host-1001").pool.additions == 0


async def test_a_session_is_asked_for_before_the_body_is_judged(start_twin):
    twin = await start_twin()
    twin.token = "0" * 32
    assert (await twin.post_body("host-1001", b"{}")).status == 401
    assert (await twin.add("host-9", b"abc")).status == 401


async def test_tls_is_1_3_and_verified_against_the_twins_own_ca(start_twin):
    twin = await start_twin()
    trusting = ssl.create_default_context(cafile=twin.address.ca_file)
    _, writer = await asyncio.open_connection("localhost", twin.address.port, ssl=trusting)
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    writer.close()
    await writer.wait_closed()
    async with aiohttp.ClientSession() as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(twin.address.url)
    old = ssl.create_default_context(cafile=twin.address.ca_file)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=old)) as older:
        with pytest.raises(aiohttp.ClientConnectorError):
            await older.get(twin.address.url)


async def test_plain_http_when_asked_for(start_twin):
    twin = await start_twin(tls=False)
    assert twin.address.url.startswith("http://")
    assert twin.address.ca_file is None
    assert (await twin.pool("host-1001")).status == 200


async def test_events_are_logged_with_the_vendors_ids_in_order(start_twin):
    twin = await start_twin(
        hosts=2,
        initial_level=0.3,
        drain_bytes_per_second=1024,
        drain_profile=DrainProfile.CONSTANT,
    )
    twin.clock.jump(1000)
    events = (await twin.admin("GET", "events")).json
    of_one = [(it["event_id"], it["time_seconds"]) for it in events if it["host"] == "host-1001"]
    start = 1_700_000_000.0
    assert of_one == [
        ("esx.audit.entropy.available.low", pytest.approx(start + 51.2, abs=0.1)),
        ("esx.audit.entropy.external.source.disconnected", start + 60),
        ("esx.problem.entropy.inmemory.empty", pytest.approx(start + 153.6, abs=0.1)),
    ]
    assert events[0]["text"] == (
        "Host is configured with external entropy source. "
        "Host is running low on entropy bits in its memory cache."
    )
    last = events[-1]["number"]
    assert (await twin.admin("GET", f"events?since={last}")).json == []


async def test_a_plain_blocking_client_gets_the_same(start_twin):
    twin = await start_twin(initial_level=0)
    context = ssl.create_default_context(cafile=twin.address.ca_file)

    def ask() -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"{twin.address.url}/api/vcenter/host/host-1001/entropy/external-pool?action=add",
            data=b'{"data": "AAEC"}',
            headers={
                "Content-Type": "application/json",
                "vmware-api-session-id": twin.token,
            },
        )
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    status, body = await asyncio.to_thread(ask)
    assert status == 200
    assert b'"currently_available":3,' in body
    twin.token = "none"
    assert (await asyncio.to_thread(ask))[0] == 401
