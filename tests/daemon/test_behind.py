"""When the bridge says that it cannot keep up: often, for many hosts, by more than a little."""

import pytest

from bridge.daemon.behind import Behind
from bridge.feed.hoststate import HostState, Reading
from bridge.feed.planner import Planner

READING = Reading(
    capacity_bytes=524_288,
    available_bytes=500_000,
    low_watermark_bytes=104_857,
    inactive_source_timeout_seconds=6,
)
THIRD_SECONDS = 2.0


@pytest.fixture
def planner():
    """Forty hosts at one vCenter, ten at another, all read at 0."""
    planner = Planner()
    for vcenter, n_hosts in (("a", 40), ("b", 10)):
        for n in range(n_hosts):
            key = (vcenter, f"host-{n}")
            planner.add_host(key, 0.0)
            read(planner, key, 0.0)
    return planner


def read(planner, key, now):
    planner.begun(key, 0, now)
    planner.observed(key, READING, now)


def told(planner, *moments):
    behind = Behind()
    for now in moments:
        behind.look(planner.outlook(now))
    return list(behind.warnings())


def test_many_hosts_that_are_late_again_and_again_are_told_of(planner):
    for n in range(40):
        read(planner, ("a", f"host-{n}"), 100.0)
    [text] = told(planner, 10.0, 15.0, 20.0)
    assert text.startswith("b: 10 hosts are looked at later than a third of their timeout")
    assert "raise max_in_flight" in text
    assert len(told(planner, 200.0, 205.0, 210.0)) == 2


def test_a_little_late_is_not(planner):
    assert not told(planner, *(THIRD_SECONDS + late for late in (0.01, 0.1, 0.2, 0.3, 0.4)))


def test_once_or_twice_is_not(planner):
    assert not told(planner, 10.0, 15.0)
    assert not told(planner, 10.0, 15.0, 1.0, 10.0, 15.0)


def test_few_of_many_hosts_are_not(planner):
    for n in range(2, 40):
        read(planner, ("a", f"host-{n}"), 100.0)
    for n in range(10):
        read(planner, ("b", f"host-{n}"), 100.0)
    assert not told(planner, 10.0, 15.0, 20.0)


def test_hosts_that_cannot_be_looked_at_are_not_late(planner):
    for n in range(10):
        planner.begun(("b", f"host-{n}"), 0, 1.0)
        planner.absent(("b", f"host-{n}"), "unavailable", 1.0)
    outlook = planner.outlook(10.0)
    assert {it.state for it in outlook if it.key[0] == "b"} == {HostState.ABSENT}
    assert [text[:2] for text in told(planner, 10.0, 15.0, 20.0)] == ["a:"]


def test_it_is_over_when_they_are_in_time_again(planner):
    behind = Behind()
    for now in (10.0, 15.0, 20.0):
        behind.look(planner.outlook(now))
    assert len(list(behind.warnings())) == 2
    for key in [it.key for it in planner.outlook(24.0)]:
        read(planner, key, 24.0)
    behind.look(planner.outlook(25.0))
    assert not list(behind.warnings())
