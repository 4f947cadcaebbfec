"""Login, expiry, limits and lockout, over the wire and on the clock."""

import asyncio
import base64

import pytest

from bridge.twin.errors import ApiError
from bridge.twin.sessions import Account, Sessions, parse_basic


def sessions(**more) -> Sessions:
    return Sessions(Account("user@vsphere.local", "right:word"), **more)


def status_of(action) -> int:
    with pytest.raises(ApiError) as caught:
        action()
    return caught.value.status


def test_idle_expiry_counts_from_the_last_access():
    these = sessions(idle_seconds=100, lifetime_seconds=1000)
    token = these.login("user@vsphere.local", "right:word", 0)
    these.touch(token, 99)
    these.touch(token, 198)
    assert status_of(lambda: these.touch(token, 298)) == 401
    assert status_of(lambda: these.touch(token, 200)) == 401


def test_absolute_expiry_comes_in_spite_of_use():
    these = sessions(idle_seconds=100, lifetime_seconds=250)
    token = these.login("user@vsphere.local", "right:word", 0)
    for moment in (90, 180, 249):
        these.touch(token, moment)
    assert status_of(lambda: these.touch(token, 250)) == 401


def test_a_user_has_so_many_sessions_and_an_expired_one_makes_room():
    these = sessions(max_per_user=2, idle_seconds=100)
    for _ in range(2):
        these.login("user@vsphere.local", "right:word", 0)
    with pytest.raises(ApiError) as caught:
        these.login("user@vsphere.local", "right:word", 50)
    assert caught.value.status == 503
    assert caught.value.message_id == (
        "com.vmware.vapi.endpoint.failedToLoginMaxUserSessionCountReached"
    )
    assert these.login("user@vsphere.local", "right:word", 100)


def test_a_client_that_hammers_locks_its_account_for_the_right_password_too():
    these = sessions()
    for moment in range(5):
        assert status_of(lambda at=moment: these.login("user@vsphere.local", "wrong", at)) == 401
    assert status_of(lambda: these.login("user@vsphere.local", "right:word", 10)) == 401
    assert status_of(lambda: these.login("user@vsphere.local", "right:word", 303)) == 401
    assert these.login("user@vsphere.local", "right:word", 304.1)
    assert these.refused_logins == 7


def test_rare_mistakes_do_not_lock():
    these = sessions()
    for moment in range(0, 2000, 100):
        assert status_of(lambda at=moment: these.login("user@vsphere.local", "wrong", at)) == 401
    assert these.login("user@vsphere.local", "right:word", 2001)


def test_the_password_may_have_colons_and_no_repr_shows_it():
    header = "Basic " + base64.b64encode(b"a:b:c").decode()
    assert parse_basic(header) == ("a", "b:c")
    assert "right:word" not in repr(Account("u", "right:word"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Bearer YTpi",
        "Basic YTpi!",
        "Basic YWI=",
        "Basic /w==",
        "Basic é",
    ],
)
def test_what_is_no_basic_header(header):
    assert parse_basic(header) is None


async def test_login_read_and_logout_over_tls(start_twin):
    twin = await start_twin()
    twin.clock.jump(12)
    reply = await twin.ask("GET", "/api/session")
    assert reply.status == 200
    assert reply.json == {
        "user": twin.address.username,
        "created_time": "2023-11-14T22:13:20.000Z",
        "last_accessed_time": "2023-11-14T22:13:32.000Z",
    }
    gone = await twin.ask("DELETE", "/api/session")
    assert (gone.status, gone.body) == (204, b"")
    assert (await twin.ask("GET", "/api/session")).status == 401
    assert (await twin.ask("DELETE", "/api/session")).status == 401


async def test_the_401_body_is_the_one_that_was_observed(start_twin):
    twin = await start_twin()
    wrong = await twin.ask("POST", "/api/session", headers=twin.basic("wrong"))
    twin.token = None
    missing = await twin.ask("GET", "/api/vcenter/host")
    for reply in (wrong, missing):
        assert reply.status == 401
        body = reply.json
        assert body["error_type"] == "UNAUTHENTICATED"
        assert body["challenge"].startswith('Basic realm="VAPI endpoint",SIGN realm=')
        assert body["messages"] == [
            {
                "args": [],
                "default_message": "Authentication required.",
                "id": "com.vmware.vapi.endpoint.method.authentication.required",
            }
        ]


async def test_basic_credentials_open_no_other_door_and_cookies_none(start_twin):
    twin = await start_twin()
    token, twin.token = twin.token, None
    assert (await twin.ask("GET", "/api/vcenter/host", headers=twin.basic())).status == 401
    cookie = {"Cookie": f"vmware-api-session-id={token}"}
    assert (await twin.ask("GET", "/api/vcenter/host", headers=cookie)).status == 401


async def test_many_logins_at_once_stop_at_the_limit(start_twin):
    twin = await start_twin(max_sessions_per_user=10)
    replies = await asyncio.gather(
        *(twin.ask("POST", "/api/session", headers=twin.basic()) for _ in range(30))
    )
    assert sorted(it.status for it in replies) == [201] * 9 + [503] * 21
    full = next(it for it in replies if it.status == 503)
    assert full.json["error_type"] == "SERVICE_UNAVAILABLE"
    assert "limited to 10" in full.json["messages"][0]["default_message"]
