"""The pusher's alarm: no ring is lost, and none ends a rest."""

import asyncio
import time

import pytest

from bridge.feed.alarm import Alarm

LONG_SECONDS = 600.0
MARGIN_SECONDS = 0.005  # the loop's timers are as fine as a millisecond


async def asleep(alarm, rest_seconds, seconds):
    """How long a sleep lasts."""
    begun = time.monotonic()
    await asyncio.wait_for(alarm.sleep(rest_seconds, seconds), 60)
    return time.monotonic() - begun


async def test_wakes_when_the_time_has_come():
    assert await asleep(Alarm(), 0.0, 0.1) >= 0.1 - MARGIN_SECONDS


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.01])
async def test_rests_though_the_time_has_come(seconds):
    assert await asleep(Alarm(), 0.1, seconds) >= 0.1 - MARGIN_SECONDS


async def test_wakes_when_it_is_rung_for_after_the_rest():
    alarm = Alarm()
    asyncio.get_running_loop().call_later(0.1, alarm.ring)
    await asleep(alarm, 0.01, LONG_SECONDS)


@pytest.mark.parametrize("rings", [1, 100])
async def test_rests_though_it_is_rung_for(rings):
    alarm = Alarm()
    for _ in range(rings):
        asyncio.get_running_loop().call_later(0.01, alarm.ring)
    assert await asleep(alarm, 0.1, LONG_SECONDS) >= 0.1 - MARGIN_SECONDS


async def test_a_ring_while_nobody_sleeps_counts_for_the_next_sleep_only():
    alarm = Alarm()
    alarm.ring()
    await asleep(alarm, 0.0, LONG_SECONDS)
    assert await asleep(alarm, 0.0, 0.1) >= 0.1 - MARGIN_SECONDS


async def test_a_sleep_that_is_given_up_leaves_nothing_behind():
    alarm = Alarm()
    sleeper = asyncio.create_task(alarm.sleep(0.0, LONG_SECONDS))
    await asyncio.sleep(0.01)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    alarm.ring()
    await asleep(alarm, 0.0, LONG_SECONDS)
