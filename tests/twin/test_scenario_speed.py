"""Time that runs faster: what a client is told of times is in the client's own seconds."""

import pytest

from bridge.twin.clock import Clock
from bridge.twin.faults import FaultKind, FaultRule
from bridge.twin.scenario_scale import scaled_fault


@pytest.mark.parametrize(("speed", "told"), [(1, 60), (10, 6), (0.5, 120), (1000, 1)])
async def test_the_timeout_is_told_in_the_clients_seconds(start_twin, speed, told):
    seconds = 0.0
    twin = await start_twin(clock=Clock(lambda: seconds, speed=speed), initial_level=0.5)
    assert (await twin.pool("host-1001")).json["inactive_source_timeout"] == told
    assert (await twin.add("host-1001", b"abc")).json["inactive_source_timeout"] == told

    # and the host itself goes by its own seconds
    seconds = 59.0 / speed
    twin.center.fleet.advance()
    assert not list(twin.center.fleet.events.since(0))
    seconds = 61.0 / speed
    twin.center.fleet.advance()
    assert len(list(twin.center.fleet.events.since(0))) == len(twin.center.fleet.hosts)


def test_a_fault_holds_a_request_up_for_a_shorter_time_and_is_in_force_as_long():
    rule = FaultRule(
        kind=FaultKind.DELAY,
        delay_seconds=2.0,
        bytes_per_second=1000,
        retry_after="25",
        after_seconds=100,
        for_seconds=50,
    )
    scaled = scaled_fault(rule, 10)
    assert (scaled.delay_seconds, scaled.bytes_per_second, scaled.retry_after) == (0.2, 10_000, "3")
    assert (scaled.after_seconds, scaled.for_seconds) == (100, 50)
    date = rule.model_copy(update={"retry_after": "Fri, 01 Jan 2027 00:00:00 GMT"})
    assert scaled_fault(date, 10).retry_after == date.retry_after
