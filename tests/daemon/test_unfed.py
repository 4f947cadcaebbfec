"""What the log says of hosts that cannot be fed."""

from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.daemon.unfed import QUIET_SECONDS, Unfed
from bridge.feed.hoststate import HostState
from bridge.feed.outlook import HostOutlook


def hosts(n_unavailable, n_fed=5, reason="unavailable"):
    states = [HostState.ABSENT] * n_unavailable + [HostState.READ] * n_fed
    return [
        HostOutlook(
            key=("site-a", f"host-{n}"),
            state=state,
            reason=reason if state is HostState.ABSENT else "",
            shared=False,
            available_bytes=None,
            capacity_bytes=None,
            low_watermark_bytes=None,
            drain_bytes_per_second=1.0,
            seconds_to_dry=None,
            seconds_since_reading=None,
        )
        for n, state in enumerate(states)
    ]


@pytest.fixture
def told():
    """Gives looks, by what they see and when, and returns what was logged."""

    def run(*looks):
        with capture_logs() as events:
            unfed = Unfed(structlog.stdlib.get_logger(), lambda key: f"name of {key[1]}")
            for now, seen in looks:
                unfed.look(seen, now)
        return [(event["event"], event.get("hosts"), event["reason"]) for event in events]

    return run


def test_hosts_that_answer_are_no_news(told):
    assert told((0, hosts(0)), (5, hosts(0))) == []


def test_the_second_look_has_them_all(told):
    looks = (0, hosts(100)), (5, hosts(300)), (10, hosts(300))
    assert told(*looks) == [("hosts are not fed", 300, "unavailable")]


def test_a_moment_is_no_news(told):
    assert told((0, hosts(1)), (5, hosts(0)), (10, hosts(0))) == []


def test_a_number_that_goes_up_and_down_is_a_line_a_minute(told):
    looks = [(5 * n, hosts(10 + n % 3)) for n in range(100)]
    assert 2 <= len(told(*looks)) <= 1 + 500 / QUIET_SECONDS


@pytest.mark.parametrize("end", [30, 5 + QUIET_SECONDS])
def test_the_end_is_told_too(told, end):
    looks = (0, hosts(2)), (5, hosts(2)), (end, hosts(0)), (500, hosts(0)), (505, hosts(0))
    assert told(*looks) == [
        ("hosts are not fed", 2, "unavailable"),
        ("hosts are fed again", None, "unavailable"),
    ]


def test_each_reason_has_its_line(told):
    seen = hosts(2) + hosts(3, reason="refused")
    assert told((0, seen), (5, seen)) == [
        ("hosts are not fed", 3, "refused"),
        ("hosts are not fed", 2, "unavailable"),
    ]


def test_one_of_them_is_named_the_first_to_run_dry():
    late, soon, unknown = (
        replace(host, seconds_to_dry=seconds)
        for host, seconds in zip(hosts(3, n_fed=0), (20.0, 10.0, None), strict=True)
    )
    with capture_logs() as events:
        unfed = Unfed(structlog.stdlib.get_logger(), lambda key: f"name of {key[1]}")
        for now in (0, 5):
            unfed.look([unknown, late, soon], now)
    assert [event["first"] for event in events] == ["name of host-1"]
