"""The switches for what the documents leave open, as a client sees them."""

import pytest

from bridge.twin.failure import TwinError
from bridge.twin.fleet import ConnectionState
from bridge.twin.readings import (
    Readings,
    all_switches,
    describe_readings,
    every_single_choice,
)
from bridge.twin.recorder import Recording


def reading(choice: str) -> Readings:
    return Readings().choose(choice)


def test_every_switch_has_a_name_a_meaning_and_at_least_two_values():
    text = describe_readings()
    assert len(all_switches()) == len(Readings.model_fields)
    for name, kind in all_switches().items():
        assert len(kind) >= 2
        assert f"{name} = " in text
        assert getattr(Readings(), name.replace("-", "_")) is next(iter(kind))
    choices = every_single_choice()
    assert len(choices) == sum(len(kind) - 1 for kind in all_switches().values())
    for choice in choices:
        assert reading(choice) != Readings()


@pytest.mark.parametrize("choice", ["", "mixing", "mixing=", "nothing=all", "model-config=x"])
def test_a_reading_that_is_none_is_refused_with_what_there_is(choice):
    with pytest.raises(TwinError, match=r"NAME of: available-counts|is one of: equal, all"):
        reading(choice)


def test_choices_add_up():
    both = reading("mixing=all").choose("watermark-unit=bits")
    assert (both.mixing, both.watermark_unit) == ("all", "bits")


@pytest.mark.parametrize("status", [503, 500, 404])
async def test_a_host_that_is_not_reached(start_twin, status):
    twin = await start_twin(readings=reading(f"unreachable-host={status}"))
    twin.center.fleet.host("host-1001").connection_state = ConnectionState.DISCONNECTED
    assert (await twin.pool("host-1001")).status == status
    assert (await twin.add("host-1001", b"abc")).status == status


@pytest.mark.parametrize("status", [503, 500, 404])
async def test_an_addition_to_a_disabled_pool(start_twin, status):
    twin = await start_twin(
        hosts=1, disabled_hosts=1, readings=reading(f"disabled-addition={status}")
    )
    assert (await twin.add("host-1001", b"abc")).status == status


async def test_a_disabled_pool_may_show_nulls(start_twin):
    twin = await start_twin(hosts=1, disabled_hosts=1, readings=reading("disabled-fields=null"))
    assert (await twin.pool("host-1001")).json == {
        "status": "DISABLED",
        "capacity": None,
        "currently_available": None,
        "low_watermark": None,
        "inactive_source_timeout": None,
    }


async def test_a_malformed_body_may_be_unexpected_input(start_twin):
    twin = await start_twin(readings=reading("malformed-body=unexpected-input"))
    reply = await twin.post_body("host-1001", b'{"data":"A"}')
    assert (reply.status, reply.json["error_type"]) == (400, "UNEXPECTED_INPUT")


async def test_an_empty_addition_may_be_accepted(start_twin):
    twin = await start_twin(readings=reading("empty-addition=accepted"), initial_level=0.25)
    reply = await twin.post_body("host-1001", b'{"data":""}')
    assert (reply.status, reply.json["currently_available"]) == (200, 131_072)


async def test_a_login_may_set_a_cookie_that_is_taken_before_the_header(start_twin):
    twin = await start_twin(readings=reading("session-cookie=first"))
    login = await twin.ask("POST", "/api/session", headers=twin.basic())
    assert login.headers["Set-Cookie"].startswith(f"vmware-api-session-id={login.json}; ")
    assert (await twin.pool("host-1001")).status == 200
    stale = await twin.ask(
        "GET", "/api/vcenter/host", headers={"Cookie": "vmware-api-session-id=stale"}
    )
    assert stale.status == 401


async def test_no_cookie_is_set_otherwise(start_twin):
    twin = await start_twin()
    login = await twin.ask("POST", "/api/session", headers=twin.basic())
    assert "Set-Cookie" not in login.headers


@pytest.mark.parametrize("end", ["head", "tail"])
async def test_the_record_says_which_end_was_kept(start_twin, record, end):
    twin = await start_twin(
        record=record, initial_level=1, readings=reading(f"overfill-keeps={end}")
    )
    await twin.add("host-1001", b"abc")
    assert Recording(record).additions()[0].kept == end
