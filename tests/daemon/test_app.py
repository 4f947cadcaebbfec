"""The composition root by itself: a loop with a defect does not end the bridge."""

import asyncio

import pytest

from bridge.config import ConfigError, parse
from bridge.daemon.app import Bridge
from bridge.daemon.exits import Exit
from bridge.daemon.sdnotify import Notifier
from tests.daemon.conftest import configuration


async def test_a_loop_with_a_defect_is_begun_anew(test_token_table, twin):
    bridge = Bridge(parse(configuration(test_token_table, twin).encode()), Notifier())
    decide, failures = bridge._planner.decide, []

    def fail_three_times(*words):
        if len(failures) < 3:
            failures.append(1)
            raise RuntimeError("a defect")
        return decide(*words)

    bridge._planner.decide = fail_three_times
    running = asyncio.create_task(bridge.run())
    async with asyncio.timeout(30):
        while not bridge.supply.account().delivered:
            if bridge.snapshot().is_ready:
                for host in twin.hosts():
                    twin.admin("POST", f"hosts/{host}", {"level_bytes": 100_000})
            await asyncio.sleep(0.2)
    assert len(failures) == 3
    bridge.stop()
    assert await running is Exit.OK
    assert bridge.supply.account().closes


def test_nothing_to_do_is_a_configuration_error(test_token_table, twin):
    text = configuration(test_token_table, twin)
    with pytest.raises(ConfigError, match="vcenter"):
        Bridge(parse(text[: text.index("[vcenter")].encode()), Notifier())
