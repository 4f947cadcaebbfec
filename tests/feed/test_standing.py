"""When a vCenter counts as gone: nobody answers any more, which is not a few lost among many."""

import random

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.feed.standing import SiteState, Standing
from bridge.vcenter.errors import FilterError, TimedOut, Unreachable


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def standing(now):
    standing = Standing(clock=lambda: now[0], log=structlog.stdlib.get_logger())
    standing.reached(8)
    return standing


def test_few_requests_without_an_answer_are_enough_while_few_are_made(standing, now):
    assert standing.lost(Unreachable("gone"), now[0], 2) == 0.0
    assert standing.lost(Unreachable("gone"), now[0], 2) == 0.0
    assert standing.state is SiteState.UP
    assert 0.8 <= standing.lost(Unreachable("gone"), now[0], 1) <= 1.2
    assert (standing.state, standing.last_error) == (SiteState.DOWN, "gone")


def test_an_answer_between_them_shows_that_somebody_is_there(standing, now):
    for _ in range(10):
        standing.lost(TimedOut("late"), now[0], 2)
        standing.lost(TimedOut("late"), now[0], 2)
        standing.answered()
    assert standing.state is SiteState.UP


def test_so_do_answers_while_they_waited_however_many_time_out_together(standing, now):
    began_at = now[0]
    now[0] += 10.0
    standing.answered()
    now[0] += 20.0
    assert [standing.lost(TimedOut("late"), began_at, 20) for _ in range(20)] == [0.0] * 20
    assert [bool(standing.lost(TimedOut("late"), now[0], 3)) for _ in range(3)][-1]


def test_one_in_ten_lost_of_many_at_once_is_no_outage_and_all_of_them_are(standing, now):
    chance = random.Random(3)
    for _ in range(100_000):
        if chance.random() < 0.1:
            assert standing.lost(Unreachable("broke"), now[0], 32) == 0.0
        else:
            standing.answered()
    pauses = [standing.lost(Unreachable("broke"), now[0], 32 - n) for n in range(32)]
    assert pauses.index(next(filter(None, pauses))) < 8


def test_an_outage_says_each_of_its_reasons_once_whatever_host_they_name(now):
    with capture_logs() as lines:
        standing = Standing(clock=lambda: now[0], log=structlog.stdlib.get_logger())
        for outage in ("first", "second"):
            now[0] += 60.0
            standing.answered()
            standing.reached(8)
            for host in range(10):
                standing.lost(TimedOut(f"{outage}: no reply from host-{host}"), now[0], 1)
                standing.lost(Unreachable(f"{outage}: no way to host-{host}"), now[0], 1)
            standing.unlisted(Unreachable(f"{outage}: no inventory"), answers=False)
            standing.unlisted(Unreachable(f"{outage}: no inventory"), answers=False)
    said = [line["error"] for line in lines if line["log_level"] == "error"]
    assert said == [
        f"{outage}: {text}"
        for outage in ("first", "second")
        for text in ("no reply from host-1", "no way to host-1", "no inventory")
    ]
    assert standing.last_error == "second: no inventory"


def test_a_vcenter_that_comes_and_goes_is_said_to_have_gone_once_in_a_minute(now):
    with capture_logs() as lines:
        standing = Standing(clock=lambda: now[0], log=structlog.stdlib.get_logger())
        standing.reached(8)
        for _ in range(120):
            for _ in range(3):
                standing.lost(Unreachable("gone"), now[0], 1)
            now[0] += 0.5
            standing.answered()
            standing.reached(8)
            now[0] += 0.5
        now[0] += 0.1
        for _ in range(100):
            standing.lost(Unreachable("gone for good"), now[0], 1)
            now[0] += 1.0
    words = [line["event"] for line in lines]
    assert words == ["vCenter is up", "vCenter cannot be used"] * 3
    assert lines[-1]["error"] == "gone for good"


def test_a_list_of_hosts_that_cannot_be_had_is_no_outage_and_said_once(standing):
    with capture_logs() as lines:
        pauses = [standing.unlisted(FilterError("no cluster"), answers=True) for _ in range(10)]
        standing.answered()
        standing.reached(8)  # a host was read
        assert (standing.state, standing.last_error) == (SiteState.UP, "no cluster")
        assert not standing.lists_hosts
        standing.listed(8)
        assert standing.lists_hosts
    assert pauses[0] <= 1.2
    assert 24.0 <= pauses[-1] <= 36.0
    assert [(line["event"], line.get("error")) for line in lines] == [
        ("hosts cannot be listed", "no cluster"),
        ("hosts are listed again", None),
    ]
    assert standing.last_error == ""


def test_who_does_not_list_hosts_at_first_or_is_away_cannot_be_used(standing, now):
    new = Standing(clock=lambda: now[0], log=structlog.stdlib.get_logger())
    new.unlisted(FilterError("no cluster"), answers=True)
    standing.unlisted(Unreachable("gone"), answers=False)
    assert (new.state, standing.state) == (SiteState.DOWN, SiteState.DOWN)


def test_an_outage_is_asked_about_every_few_seconds(standing, now):
    pauses = []
    for _ in range(10):
        for _ in range(3):
            pause = standing.lost(Unreachable("gone"), now[0], 1)
        pauses.append(pause)
        now[0] += pause
    assert pauses[0] <= 1.2
    assert all(4.0 <= pause <= 6.0 for pause in pauses[-5:])
    standing.answered()
    standing.reached(8)
    assert standing.lost(Unreachable("gone"), now[0], 1) == 0.0
