"""When a supply asks its ring for wake-ups: not while somebody looks at short intervals anyway."""

import asyncio
import time

from bridge.native import softtoken_path
from bridge.source import wakeups
from bridge.source.account import Fate
from bridge.source.supply import Supply
from tests.source.conftest import until
from tests.support.native_source import RingAndSource

ALL = 1 << 30


def look_and_take_all(supply):
    """Look at what is there, then make room, so that more than was looked at arrives."""
    while not supply.available_bytes:
        time.sleep(0.001)
    supply.take(ALL).done(Fate.DELIVERED)


async def test_who_looks_of_his_own_accord_is_not_told_until_he_stops(monkeypatch):
    told = []
    with RingAndSource().run(softtoken_path()) as both:
        supply = Supply()
        supply.attach(both.ring, asyncio.get_running_loop())
        supply.on_data(lambda: told.append(True))
        monkeypatch.setattr(wakeups, "COALESCE_SECONDS", 60.0)
        look_and_take_all(supply)
        await asyncio.sleep(20 * 0.003)
        assert not told
        monkeypatch.undo()
        look_and_take_all(supply)
        await until(lambda: told)
        supply.detach()
