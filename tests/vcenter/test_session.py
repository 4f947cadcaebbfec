import asyncio
import logging
import traceback

import pytest
from aiohttp import web
from pydantic import SecretStr

from bridge.vcenter import Call, VCenter
from bridge.vcenter.errors import (
    LoginRefused,
    ProtocolError,
    SendFate,
    ServerError,
    SessionRefused,
    TooManySessions,
    Unauthenticated,
    VCenterError,
)
from tests.vcenter.conftest import PASSWORD, error


async def test_logs_in_once_and_ends_the_session_at_close(fake, config, password):
    async with VCenter(config(fake.url), password) as client:
        await asyncio.gather(*(client.pool(f"host-{n}") for n in range(20)))
        assert len(fake.script.sessions) == 1
    assert fake.script.sessions == set()
    assert fake.script.count("POST", "/api/session") == 1
    assert fake.script.count("DELETE", "/api/session") == 1


async def test_fifty_requests_that_find_the_session_gone_make_one_login(fake, client):
    fake.script.sessions.clear()
    arrived = 0
    all_there = asyncio.Event()

    async def together(request):
        nonlocal arrived
        if request.path != "/api/session" and not all_there.is_set():
            arrived += 1
            if arrived == 30:  # so many are in flight at once
                all_there.set()
            await all_there.wait()

    fake.script.answer = together
    pools = await asyncio.gather(*(client.pool(f"host-{n}") for n in range(50)))
    assert all(pool.levels.capacity_bytes == 524288 for pool in pools)
    assert fake.script.logins == 2


async def test_a_session_that_is_renewed_leaves_none_behind(fake, config, password):
    strict = True

    async def refuse_first(request):
        nonlocal strict
        if strict and request.path != "/api/session":
            strict = False  # 401 although the session is still counted
            return web.json_response(error("UNAUTHENTICATED"), status=401)
        return None

    fake.script.answer = refuse_first
    async with VCenter(config(fake.url), password) as client:
        await client.pool("host-1")
        assert fake.script.logins == 2
    assert fake.script.sessions == set()


async def test_a_second_401_is_an_error_and_no_further_login(fake, client):
    async def never(request):
        if request.path != "/api/session":
            return web.json_response(error("UNAUTHENTICATED"), status=401)
        return None

    fake.script.answer = never
    with pytest.raises(Unauthenticated) as caught:
        await client.pool("host-1")
    assert caught.value.error_type == "UNAUTHENTICATED"
    assert fake.script.logins == 2


async def test_sessions_that_are_never_accepted_are_not_made_one_after_the_other(
    fake, config, password
):
    async def never(request):
        if request.path != "/api/session":
            return web.json_response(error("UNAUTHENTICATED"), status=401)
        return None

    now = 1000.0
    async with VCenter(config(fake.url), password, clock=lambda: now) as client:
        fake.script.answer = never
        for n in range(10):
            with pytest.raises(SessionRefused, match="a new session is not valid either"):
                await client.pool(f"host-{n}")
            with pytest.raises(SessionRefused) as caught:
                await client.add("host-1", [memoryview(b"AAAA")], lambda: None)
            assert caught.value.fate is SendFate.REFUSED
        assert fake.script.logins == 2
        now += 6
        with pytest.raises(SessionRefused):
            await client.pool("host-1")
        assert fake.script.logins == 3
        fake.script.answer = None
        assert (await client.pool("host-1")).levels is not None
        assert fake.script.logins == 3
        fake.script.sessions.clear()  # one that was accepted may be gone at any time
        assert (await client.pool("host-1")).levels is not None
        assert fake.script.logins == 4
    assert fake.script.sessions == set()


async def test_an_add_that_met_401_is_spent_and_the_next_works(fake, client):
    fake.script.sessions.clear()
    started = []
    with pytest.raises(Unauthenticated) as caught:
        await client.add("host-1", [memoryview(b"AAAA")], lambda: started.append(1))
    assert caught.value.fate is SendFate.REFUSED
    assert started == [1]
    await client.add("host-1", [memoryview(b"AAAA")], lambda: started.append(2))
    assert fake.script.added == {"host-1": b"\0\0\0"}
    assert started == [1, 2]
    assert fake.script.logins == 2


async def test_a_refused_login_is_not_repeated_by_anybody_for_a_while(fake, config):
    now = 1000.0
    client = VCenter(config(fake.url), SecretStr("wrong"), clock=lambda: now)
    try:
        with pytest.raises(LoginRefused, match="check username and password") as caught:
            await client.open()
        assert caught.value.retry_after_seconds == 300
        for _ in range(5):
            with pytest.raises(LoginRefused):
                await client.pool("host-1")
        now += 200
        with pytest.raises(LoginRefused) as caught:
            await client.open()
        assert caught.value.retry_after_seconds == 100
        assert fake.script.count("POST", "/api/session") == 1
        now += 101
        with pytest.raises(LoginRefused):
            await client.open()
        assert fake.script.count("POST", "/api/session") == 2
    finally:
        await client.close()


async def test_those_who_wait_for_one_login_get_errors_of_their_own(fake, config):
    client = VCenter(config(fake.url), SecretStr("wrong"))
    client._wire.open()
    try:
        errors = await asyncio.gather(
            *(client.pool(f"host-{n}") for n in range(10)), return_exceptions=True
        )
    finally:
        await client.close()
    assert {type(e) for e in errors} == {LoginRefused}
    assert len({id(e) for e in errors}) == 10
    assert fake.script.count("POST", "/api/session") == 1


async def test_one_who_is_cancelled_does_not_take_the_login_along(fake, config, password):
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request):
        if request.path == "/api/session" and request.method == "POST":
            entered.set()
            await go_on.wait()

    fake.script.answer = slow
    client = VCenter(config(fake.url), password)
    client._wire.open()
    first = asyncio.create_task(client.pool("host-1"))
    second = asyncio.create_task(client.pool("host-2"))
    await entered.wait()
    first.cancel()
    go_on.set()
    assert (await second).levels is not None
    with pytest.raises(asyncio.CancelledError):
        await first
    await client.close()
    assert fake.script.logins == 1
    assert fake.script.sessions == set()


async def test_a_login_under_way_at_close_leaves_no_session(fake, config, password):
    entered = asyncio.Event()

    async def slow(request):
        if request.path == "/api/session" and request.method == "POST":
            entered.set()
            await asyncio.sleep(0.2)

    fake.script.answer = slow
    client = VCenter(config(fake.url), password)
    opening = asyncio.create_task(client.open())
    await entered.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await client.close()
    assert fake.script.logins == 1
    assert fake.script.sessions == set()


async def test_too_many_sessions(fake, config, password):
    async def full(request):
        identifier = "com.vmware.vapi.endpoint.failedToLoginMaxUserSessionCountReached"
        text = "User session count is limited to 550."
        return web.json_response(error("SERVICE_UNAVAILABLE", identifier, text), status=503)

    fake.script.answer = full
    client = VCenter(config(fake.url), password)
    with pytest.raises(TooManySessions, match="limited to 550"):
        await client.open()
    fake.script.answer = None
    await client.open()  # may be called again
    await client.close()


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_login_that_fails_otherwise_may_be_tried_at_once(fake, config, password, status):
    async def broken(request):
        return web.Response(status=status, text="no healthy upstream")

    client = VCenter(config(fake.url), password)
    fake.script.answer = broken
    with pytest.raises(ServerError):
        await client.open()
    fake.script.answer = None
    assert (await client.pool("host-1")).levels is not None
    await client.close()


@pytest.mark.parametrize("reply", ["", "null", "{}", '""', '"a\\r\\nb"', "<html>", '"\u00e4"'])
async def test_a_login_reply_that_is_no_session_id(fake, config, password, reply):
    async def odd(request):
        if request.method == "POST":
            return web.Response(status=201, text=reply, content_type="application/json")
        return None

    fake.script.answer = odd
    client = VCenter(config(fake.url), password)
    with pytest.raises(ProtocolError, match="no session id"):
        await client.open()
    await client.close()


async def test_cookies_are_never_sent_back(fake, client):
    for _ in range(3):
        await client.pool("host-1")
    await client.close()
    assert len(fake.script.requests) == 5
    for request in fake.script.requests:
        assert "Cookie" not in request.headers
        assert request.headers["Accept-Encoding"] == "identity"


async def test_the_password_goes_only_to_the_login(fake, client):
    await client.pool("host-1")
    for request in fake.script.requests:
        login = request.method == "POST" and request.path == "/api/session"
        assert ("Authorization" in request.headers) == login
        assert ("vmware-api-session-id" in request.headers) != login


async def test_no_secret_shows_anywhere(fake, config, password, caplog):
    caplog.set_level(logging.DEBUG)
    client = VCenter(config(fake.url), password)
    await client.open()
    (token,) = fake.script.sessions

    async def echo(request):
        seen = " ".join(request.headers.values())
        return web.json_response(error("ERROR", text=f"I saw {seen}"), status=500)

    fake.script.answer = echo
    shown = [repr(vars(client)), repr(vars(client._session)), repr(vars(client._wire))]
    for call in (client.pool("host-1"), client.add("h", [memoryview(b"AAAA")], bool)):
        with pytest.raises(VCenterError) as caught:
            await call
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        below = caught.value.with_traceback(caught.tb.tb_next)
        trace = traceback.TracebackException.from_exception(below, capture_locals=True)
        shown += [repr(caught.value), str(caught.value), repr(vars(caught.value)), *trace.format()]
    await client.close()
    text = "\n".join([*shown, caplog.text])
    assert token not in text
    assert PASSWORD not in text
    assert password.get_secret_value().encode().hex() not in text


async def test_the_observer_hears_of_every_request(fake, config, password):
    heard = []
    client = VCenter(
        config(fake.url), password, observer=lambda call, s, status: heard.append((call, s, status))
    )
    await client.open()
    await client.pool("host-1")
    await client.add("host-1", [memoryview(b"AAAA")], bool)
    await client.close()
    assert [(call, status) for call, _, status in heard] == [
        (Call.LOGIN, 201),
        (Call.POOL, 200),
        (Call.ADD, 200),
        (Call.LOGOUT, 204),
    ]
    assert all(0 < seconds < 10 for _, seconds, _ in heard)


async def test_after_close_nothing_is_sent(fake, config, password):
    client = VCenter(config(fake.url), password)
    await client.open()
    await client.close()
    seen = len(fake.script.requests)
    with pytest.raises(VCenterError, match="closed"):
        await client.pool("host-1")
    assert len(fake.script.requests) == seen
