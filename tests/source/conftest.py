"""Sources on the test token and on SoftHSM2."""

import asyncio
import contextlib
import gc
import os
import time
from pathlib import Path

import pytest

from bridge.config import HsmConfig
from bridge.source.generation import Timing
from bridge.source.supervisor import Source
from tests.support.testtoken import TestToken

DEADLINE_SECONDS = 20.0
# Everything as in earnest, only sooner.
QUICK = Timing(tick=0.02, backoff_first=0.05, backoff_most=0.2)


class Lines:
    """A log that remembers."""

    def __init__(self):
        self.events = []

    def info(self, event, **fields):
        self.events.append((event, fields))

    warning = error = info

    def reasons(self):
        return [fields["reason"] for _, fields in self.events if "reason" in fields]


async def until(condition, seconds=DEADLINE_SECONDS):
    """Wait until `condition()` is true."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)
    return answer


async def idle(source, token):
    """Wait until the ring is full and no call runs, so that every counter stands still."""
    await until(lambda: source.supply.available_bytes >= source.capacity_bytes - 2 * 12288)
    calls = -1
    while calls != token.calls:
        calls = token.calls
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def running(source):
    """Run a source for the length of the body; its end is a clean one."""
    task = asyncio.create_task(source.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
        source.close()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def descriptors():
    gc.collect()  # or a ring that an earlier test left to it goes in between
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    yield token
    token.close()


@pytest.fixture
def make(token, tmp_path):
    """Build a source on the test token."""

    def build(*, timing=QUICK, one_shot=False, suspended=None, **more):
        common = {key: more.pop(key, None) for key in ("state_dir", "latch", "logins")}
        table = {"name": "test", "module": token.module, "env": token.environment, "sessions": 1}
        config = HsmConfig(**{**table, **more})
        source = Source(
            config,
            timing=timing,
            **common,
            one_shot=one_shot,
            suspended=suspended,
            log=Lines(),
        )
        source.lines = source._log
        return source

    return build


@pytest.fixture
def pin_file(tmp_path):
    path = tmp_path / "pin"
    path.write_text("123456\n")
    return path
