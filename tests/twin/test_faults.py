"""Every fault, as a client sees it, and what the host got in spite of it."""

import asyncio
import base64
import ssl
import time

import aiohttp
import pytest

from bridge.twin.faults import FaultKind, FaultPlan, FaultRule, Operation
from bridge.twin.recorder import Recording

RAW = bytes(range(256)) * 48
CUT = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


def accepted(twin, host="host-1001") -> int:
    return twin.center.fleet.host(host).pool.accepted_bytes


@pytest.fixture
async def twin(start_twin, record):
    return await start_twin(initial_level=0, record=record)


@pytest.mark.parametrize(
    ("kind", "status", "error_type"),
    [
        ("unauthenticated", 401, "UNAUTHENTICATED"),
        ("forbidden", 403, "UNAUTHORIZED"),
        ("not_found", 404, "NOT_FOUND"),
        ("too_large", 413, "ERROR"),
        ("throttled", 429, "SERVICE_UNAVAILABLE"),
        ("error", 500, "ERROR"),
        ("unavailable", 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_refusals_have_vcenters_shape_and_the_host_gets_nothing(
    twin, kind, status, error_type
):
    await twin.faults({"kind": kind, "count": 1})
    reply = await twin.add("host-1001", RAW)
    assert (reply.status, reply.json["error_type"]) == (status, error_type)
    assert accepted(twin) == 0
    assert (await twin.add("host-1001", RAW)).status == 200
    assert accepted(twin) == len(RAW)


@pytest.mark.parametrize("kind", ["throttled", "unavailable"])
async def test_retry_after_is_what_the_rule_says(twin, kind):
    await twin.faults({"kind": kind, "retry_after": "17"})
    assert (await twin.pool("host-1001")).headers["Retry-After"] == "17"
    await twin.faults({"kind": kind, "retry_after": None})
    assert "Retry-After" not in (await twin.pool("host-1001")).headers


async def test_the_proxy_in_front_speaks_no_json(twin):
    await twin.faults({"kind": "proxy_error", "status": 502})
    reply = await twin.add("host-1001", RAW)
    assert reply.status == 502
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert b"upstream connect error" in reply.body
    assert accepted(twin) == 0


async def test_a_redirect_leads_elsewhere(twin):
    await twin.faults({"kind": "redirect", "location": "https://other.example.test/api"})
    reply = await twin.add("host-1001", RAW)
    assert (reply.status, reply.headers["Location"]) == (307, "https://other.example.test/api")
    assert accepted(twin) == 0


async def test_odd_replies_come_after_the_host_got_its_bytes(twin):
    await twin.faults({"kind": "wrong_content_type"})
    reply = await twin.add("host-1001", RAW)
    assert reply.headers["Content-Type"].startswith("text/html")
    assert b'"capacity":524288' in reply.body
    await twin.faults({"kind": "not_json"})
    assert not (await twin.add("host-1001", RAW)).body.endswith(b"}")
    await twin.faults({"kind": "wrong_shape"})
    assert "capacity" not in (await twin.add("host-1001", RAW)).json
    await twin.faults({"kind": "huge_reply", "size_bytes": 3_000_000})
    assert len((await twin.add("host-1001", RAW)).body) == 3_000_000
    assert accepted(twin) == 4 * len(RAW)


async def test_a_truncated_reply_breaks_off(twin):
    await twin.faults({"kind": "truncated_reply"})
    with pytest.raises(aiohttp.ClientPayloadError):
        await twin.add("host-1001", RAW)
    assert accepted(twin) == len(RAW)


@pytest.mark.parametrize(
    ("kind", "got", "recorded"),
    [
        ("reset_before_body", 0, 0),
        ("reset_mid_body", 0, 4),
        ("reset_after_body", 0, len(RAW)),
        ("lose_reply", len(RAW), len(RAW)),
    ],
)
async def test_resets_and_what_the_host_got(twin, record, kind, got, recorded):
    await twin.faults({"kind": kind, "after_bytes": 12, "count": 1, "operations": ["pool.add"]})

    async def pieces():
        yield b'{"data":"AAEC'
        await asyncio.sleep(0.05)
        yield base64.b64encode(RAW)[4:] + b'"}'

    with pytest.raises(CUT):
        await twin.post_body("host-1001", pieces())
    assert accepted(twin) == got
    assert (await twin.pool("host-1001")).status == 200
    entry = Recording(record).additions()[0]
    assert entry.status == 0
    assert entry.accepted_bytes == got
    assert entry.partial is (kind == "reset_mid_body")
    if kind == "reset_mid_body":
        assert 0 < entry.raw_bytes < len(RAW)
    else:
        assert entry.raw_bytes == recorded


async def test_a_reset_is_a_reset_and_no_end_of_file(twin):
    await twin.faults({"kind": "reset_before_body"})
    trusting = ssl.create_default_context(cafile=twin.address.ca_file)
    reader, writer = await asyncio.open_connection("127.0.0.1", twin.address.port, ssl=trusting)
    writer.write(b"GET /api/session HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with pytest.raises(ConnectionResetError):
        await writer.wait_closed()


async def test_an_early_reply_comes_before_the_body_and_the_connection_stays(twin, record):
    await twin.faults({"kind": "early_reply", "status": 500, "delay_seconds": 0.2, "count": 1})
    trusting = ssl.create_default_context(cafile=twin.address.ca_file)
    reader, writer = await asyncio.open_connection("127.0.0.1", twin.address.port, ssl=trusting)
    head = (
        f"POST /api/vcenter/host/host-1001/entropy/external-pool?action=add HTTP/1.1\r\n"
        f"Host: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n"
        f"vmware-api-session-id: {twin.token}\r\n\r\n"
    ).encode()
    body = b'{"data":"AAECAwQF"}'
    writer.write(head)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 500")
    writer.write(body + head + body)
    again = b""
    while b"HTTP/1.1 200" not in again:
        again += await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    writer.close()
    await writer.wait_closed()
    assert accepted(twin) == 6
    first, second = Recording(record).additions()
    assert (first.status, first.raw_bytes) == (500, 0)
    assert (second.status, second.raw_bytes) == (200, 6)


async def test_delays_and_slow_lines_only_take_time(twin):
    await twin.faults({"kind": "delay", "delay_seconds": 0.3})
    began = time.monotonic()
    assert (await twin.pool("host-1001")).status == 200
    assert time.monotonic() - began >= 0.29
    await twin.faults({"kind": "slow_read", "bytes_per_second": 40_000})
    began = time.monotonic()
    assert (await twin.add("host-1001", RAW)).status == 200
    assert time.monotonic() - began >= 0.3
    await twin.faults({"kind": "slow_reply", "bytes_per_second": 300})
    began = time.monotonic()
    assert (await twin.pool("host-1001")).json["status"] == "ENABLED"
    assert time.monotonic() - began >= 0.3


async def test_a_stall_answers_never_and_ends_with_the_client(twin):
    await twin.faults({"kind": "stall", "count": 1})
    with pytest.raises(TimeoutError):
        await twin.add("host-1001", RAW, timeout=aiohttp.ClientTimeout(total=0.2))
    assert accepted(twin) == 0
    assert (await twin.pool("host-1001")).status == 200


async def test_expired_sessions_are_401_until_the_next_login(twin):
    await twin.faults({"kind": "expire_sessions", "count": 1, "operations": ["pool.add"]})
    assert (await twin.pool("host-1001")).status == 200
    assert (await twin.add("host-1001", RAW)).status == 401
    assert (await twin.pool("host-1001")).status == 401
    await twin.login()
    assert (await twin.add("host-1001", RAW)).status == 200
    assert (await twin.admin("DELETE", "sessions")).json == {"expired": 1}
    assert (await twin.pool("host-1001")).status == 401


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("tls_refused", None),
        ("tls_expired", "certificate has expired"),
        ("tls_other_name", "IP address mismatch"),
        ("tls_other_ca", "unable to get local issuer certificate"),
    ],
)
async def test_tls_fails_for_new_connections(twin, kind, words):
    await twin.faults({"kind": kind, "count": 2})
    for _ in range(2):
        with pytest.raises((ssl.SSLError, ConnectionError), match=words):
            await connect(twin)
    assert (await twin.pool("host-1001")).status == 200  # on a connection that was there before
    await connect(twin)
    assert twin.center.faults.armed[0].struck == 2


async def connect(twin):
    context = ssl.create_default_context(cafile=twin.address.ca_file)
    _, writer = await asyncio.open_connection("127.0.0.1", twin.address.port, ssl=context)
    writer.close()
    await writer.wait_closed()


async def test_a_host_can_vanish_in_the_middle(twin):
    await twin.faults({"kind": "vanish", "operations": ["pool.add"], "skip": 1, "count": 1})
    assert (await twin.add("host-1001", RAW)).status == 200
    assert (await twin.add("host-1001", RAW)).status == 404
    listed = (await twin.ask("GET", "/api/vcenter/host")).json
    assert [it["host"] for it in listed] == ["host-1002", "host-1003", "host-1004"]


async def test_time_can_jump_with_a_request(twin):
    before = twin.clock.now()
    await twin.faults({"kind": "jump_time", "jump_seconds": 500, "operations": ["pool.get"]})
    await twin.pool("host-1001")
    await twin.pool("host-1001")
    assert twin.clock.now() == before + 1000


async def test_rules_are_for_operations_and_hosts(twin):
    await twin.faults(
        {"kind": "error", "operations": ["pool.add"], "hosts": ["host-1002"]},
        {"kind": "forbidden", "operations": ["host.list"]},
    )
    assert (await twin.add("host-1001", RAW)).status == 200
    assert (await twin.add("host-1002", RAW)).status == 500
    assert (await twin.pool("host-1002")).status == 200
    assert (await twin.ask("GET", "/api/vcenter/host")).status == 403
    armed = (await twin.admin("GET", "faults")).json
    assert [(it["matched"], it["struck"]) for it in armed] == [(1, 1), (1, 1)]
    assert armed[1]["rule"] == {"kind": "forbidden", "operations": ["host.list"]}
    assert (await twin.admin("DELETE", "faults")).json == []
    assert (await twin.add("host-1002", RAW)).status == 200


async def test_rules_are_for_hosts_by_name_as_well(twin):
    await twin.faults({"kind": "error", "hosts": ["esx-0002.example.test"]})
    assert (await twin.pool("host-1001")).status == 200
    assert (await twin.pool("host-1002")).status == 500


@pytest.mark.parametrize(
    "rules",
    [
        {},
        [{"kind": "gremlin"}],
        [{"kind": "delay", "delay": 1}],
        [{"kind": "delay", "probability": 0}],
        [{"kind": "error", "operations": ["pool.steal"]}],
        [{"kind": "tls_refused"}],
        [{"kind": "tls_refused", "count": 1, "hosts": ["host-1001"]}],
        [{"kind": "jump_time", "jump_seconds": 1e9}],
    ],
)
async def test_bad_rules_are_refused_and_the_old_ones_stay(twin, rules):
    await twin.faults({"kind": "error", "operations": ["pool.get"]})
    reply = await twin.admin("PUT", "faults", rules)
    assert reply.status == 400
    assert "bad fault rule" in reply.json["messages"][0]["default_message"]
    assert (await twin.pool("host-1001")).status == 500


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic eDp5"])
async def test_the_admin_endpoints_want_their_token(twin, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    assert (await twin.ask("GET", "/twin/hosts", headers=headers)).status == 401
    assert (await twin.ask("PUT", "/twin/faults", data=b"[]", headers=headers)).status == 401


async def test_hosts_can_be_changed_and_are_shown(twin):
    change = {
        "level_bytes": 1000,
        "drain_bytes_per_second": 10,
        "drain_profile": "constant",
    }
    assert (await twin.admin("POST", "hosts/host-1001", change)).status == 200
    twin.clock.jump(50)
    disabled = {"status": "DISABLED"}
    assert (await twin.admin("POST", "hosts/host-1001", disabled)).status == 200
    twin.clock.jump(50)
    state = (await twin.admin("GET", "hosts")).json
    shown = next(it for it in state["hosts"] if it["host"] == "host-1001")
    assert (shown["level_bytes"], shown["drained_bytes"], shown["status"]) == (
        500,
        500,
        "DISABLED",
    )
    assert state["counts"]["answers"] == {"session.create 201": 1}
    for bad in ({"level_bytes": 10**9}, {"level": 1}, {"drain_bytes_per_second": -1}):
        assert (await twin.admin("POST", "hosts/host-1001", bad)).status == 400
    assert (await twin.admin("POST", "hosts/host-9", {})).status == 404


async def test_time_can_jump(start_twin):
    twin = await start_twin(initial_level=1, drain_bytes_per_second=1024)
    await twin.admin("POST", "clock", {"jump_seconds": 100})
    assert (await twin.pool("host-1001")).json["currently_available"] == 524_288 - 102_400
    for seconds in (-1, 1e9):
        assert (await twin.admin("POST", "clock", {"jump_seconds": seconds})).status == 400


def struck_of(rule: FaultRule, requests: int, step_seconds: float = 0.0) -> list[bool]:
    plan = FaultPlan()
    plan.set([rule], 0.0)
    return [
        bool(plan.strike(Operation.POOL_GET, "host-1001", i * step_seconds))
        for i in range(requests)
    ]


def test_skip_count_and_time_choose_requests():
    rule = FaultRule(kind=FaultKind.ERROR, skip=2, count=3)
    assert struck_of(rule, 8) == [False] * 2 + [True] * 3 + [False] * 3
    rule = FaultRule(kind=FaultKind.ERROR, after_seconds=2, for_seconds=3)
    assert struck_of(rule, 8, 1.0) == [False] * 2 + [True] * 3 + [False] * 3


def test_dice_are_seeded_and_fair():
    rule = FaultRule(kind=FaultKind.ERROR, probability=0.3, seed=1)
    struck = struck_of(rule, 2000)
    assert struck == struck_of(rule, 2000)
    assert struck != struck_of(rule.model_copy(update={"seed": 2}), 2000)
    assert 500 < sum(struck) < 700


def test_delays_add_up_and_one_outcome_decides():
    plan = FaultPlan()
    plan.set([FaultRule(kind=FaultKind.ERROR, count=1), FaultRule(kind=FaultKind.FORBIDDEN)], 0.0)
    plan.add([FaultRule(kind=FaultKind.DELAY), FaultRule(kind=FaultKind.SLOW_READ)], 0.0)
    kinds = [[it.kind for it in plan.strike(Operation.POOL_ADD, None, 0.0)] for _ in range(2)]
    assert kinds == [["error", "delay", "slow_read"], ["forbidden", "delay", "slow_read"]]
    assert plan.armed[1].matched == 1
