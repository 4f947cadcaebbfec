"""Hung or slow, tick by tick."""

import pytest

from bridge.native.ring import Phase, ReaderView, RingView
from bridge.source.hang import HangWatch, Limits

TICK = 0.25


def reader(begun, ended, *, slowest=0.0, active=True):
    return ReaderView(begun, ended, 0, int(slowest * 1e9), 1024, active)


def view(*readers, phase=Phase.RUNNING, phases=1):
    return RingView(
        generation=1,
        phase=phase,
        phases=phases,
        fault=None,
        generated_bytes=0,
        published_bytes=0,
        popped_bytes=0,
        failed_bytes=0,
        startup_bytes=0,
        failures={},
        latched=False,
        errors=0,
        refused_entries=0,
        readers=readers,
    )


def seconds_until_hung(watch, seen, most=200.0, **words):
    """Look at the same again and again; how long until it is called hung."""
    for ticks in range(int(most / TICK)):
        if watch.tick(seen, **words):
            return ticks * TICK
    return None


@pytest.mark.parametrize(
    ("slowest", "limit"), [(0.0, 10), (1.0, 10), (2.5, 10), (4.0, 16), (14.0, 56), (40.0, 60)]
)
def test_the_limit_grows_with_the_slowest_call_up_to_the_timeout(slowest, limit):
    hung = seconds_until_hung(HangWatch(Limits(), TICK), view(reader(8, 7, slowest=slowest)))
    assert hung == limit + TICK


def test_a_shorter_timeout_is_kept():
    hung = seconds_until_hung(HangWatch(Limits(call=5), TICK), view(reader(8, 7)))
    assert hung == 5 + TICK


def test_no_call_is_no_hang():
    assert seconds_until_hung(HangWatch(Limits(), TICK), view(reader(8, 8))) is None
    assert seconds_until_hung(HangWatch(Limits(), TICK), view(reader(8, 7, active=False))) is None


def test_no_call_is_a_hang_where_there_is_space():
    watch = HangWatch(Limits(), TICK)
    seen = view(reader(8, 8), reader(3, 3))
    assert seconds_until_hung(watch, seen, has_space=True) == 10 + TICK
    assert watch.tick(seen, has_space=False) is None
    assert seconds_until_hung(watch, seen, 9.0, has_space=True) is None
    assert watch.tick(view(reader(8, 8), reader(4, 4)), has_space=True) is None
    assert seconds_until_hung(watch, seen, has_space=True) == 10 + TICK


def test_slow_calls_that_end_are_no_hang():
    watch = HangWatch(Limits(), TICK)
    for call in range(10):
        for _ in range(int(9.75 / TICK)):
            assert watch.tick(view(reader(call + 1, call))) is None


def test_one_hung_reader_among_lively_ones_is_enough():
    watch = HangWatch(Limits(), TICK)
    found = [
        watch.tick(view(reader(tick + 1, tick), reader(5, 4), reader(tick, tick)))
        for tick in range(50)
    ]
    assert found[40] is None
    assert "C_GenerateRandom for more than 10 s" in found[41]


def test_what_was_slow_before_a_restart_is_remembered():
    first = HangWatch(Limits(), TICK)
    first.tick(view(reader(1, 1, slowest=4)))
    second = HangWatch(Limits(), TICK, first.slowest_call_seconds)
    assert seconds_until_hung(second, view(reader(1, 0))) == 16 + TICK


@pytest.mark.parametrize(
    ("phase", "limit"),
    [
        (Phase.EMPTY, 20),
        (Phase.STARTED, 20),
        (Phase.INITIALISING, 20),
        (Phase.SELECTING, 20),
        (Phase.LOGIN, 20),
        (Phase.OPENING, 20),
        (Phase.STOPPED, 5),
    ],
)
def test_every_phase_on_the_way_has_a_limit_of_its_own(phase, limit):
    watch = HangWatch(Limits(start=20), TICK)
    assert seconds_until_hung(watch, view(phase=phase, phases=3)) == limit + TICK
    watch = HangWatch(Limits(start=20), TICK)
    for phases in range(5):
        for _ in range(int(limit / TICK)):
            assert watch.tick(view(phase=phase, phases=phases)) is None


def test_what_others_took_is_not_held_against_it():
    watch = HangWatch(Limits(start=60.0), TICK)
    seen = view(phase=Phase.SELECTING)
    assert seconds_until_hung(watch, seen, most=50.0, waits=True) is None
    assert seconds_until_hung(watch, seen) == 60.0 + TICK


def test_what_waits_for_others_has_the_same_limit():
    seen = view(phase=Phase.SELECTING)
    assert seconds_until_hung(HangWatch(Limits(start=60.0), TICK), seen, waits=True) == 60.0 + TICK
