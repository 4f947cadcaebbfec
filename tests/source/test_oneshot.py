"""A source for one command, with the soft token and with trouble."""

import asyncio

import pytest
import uvloop

from bridge.config import HsmConfig
from bridge.native import softtoken_path
from bridge.source.errors import SourceFailed, SourceMisconfigured, SourceRefused
from bridge.source.oneshot import draw, opened
from bridge.source.supervisor import Source
from tests.source.conftest import descriptors, idle, running
from tests.support.testtoken import Mode


def soft(**table):
    return HsmConfig(name="soft", module=softtoken_path(), allow_soft_token=True, **table)


@pytest.fixture
def config(make):
    def build(**table):
        return make(**table)._config

    return build


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 3, 4, 1000, 12_289, 3_000_001])
async def test_as_many_bytes_as_asked(n_bytes):
    before = descriptors()
    async with opened(soft()) as supply:
        drawn = [raw async for raw in draw(supply, n_bytes)]
        assert sum(map(len, drawn)) == n_bytes
        assert supply.account().closes
    assert supply.account().closes
    assert len(set(drawn)) == len(drawn)
    assert descriptors() == before


async def test_the_soft_token_is_refused_by_default(tmp_path):
    link = tmp_path / "innocent.so"
    link.symlink_to(softtoken_path())
    for module in (softtoken_path(), link):
        source = Source(HsmConfig(name="soft", module=module))
        assert source.is_soft_token
        with pytest.raises(SourceMisconfigured, match="allow_soft_token = true for a rehearsal"):
            await source.run()


async def test_bytes_that_come_slowly_are_waited_for(config, token):
    token.picoseconds_per_byte = 10_000_000  # 100 kB/s
    async with opened(config()) as supply:
        drawn = b"".join([raw async for raw in draw(supply, 100_000)])
    assert len(drawn) == 100_000


async def test_bytes_that_are_always_there_leave_others_their_turn(make, token):
    source = make()
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with running(source):
        await idle(source, token)
        other = asyncio.create_task(count())
        drawn = [raw async for raw in draw(source.supply, 1_000_000)]
        other.cancel()
    assert turns >= len(drawn) > 5


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        ({"token_label": "other"}, SourceFailed, "no token labelled 'other'; present: 'testtoken'"),
        ({"slot": 99}, SourceFailed, "no token in slot 99"),
        ({"module": "/nowhere/module.so"}, SourceMisconfigured, "cannot be loaded"),
    ],
)
async def test_what_is_wrong_is_one_line(config, table, error, words):
    with pytest.raises(error, match=words) as raised:
        async with opened(config(**table)):
            pytest.fail("it opened")
    assert "\n" not in str(raised.value)


async def test_a_wrong_pin_is_tried_once(config, token, pin_file, tmp_path):
    token.login_needed = 1
    pin_file.write_text("000000")
    for _ in range(2):
        with pytest.raises(SourceRefused):
            async with opened(config(pin_file=pin_file), state_dir=tmp_path):
                pytest.fail("it opened")
    assert token.logins == 1


async def test_an_end_for_good_ends_the_body(config, token):
    async def body():
        async with opened(config()) as supply:
            token.behave(Mode.ALL_EQUAL)
            async for _ in draw(supply, 10**9):
                pass

    with pytest.raises(SourceFailed, match="output test latched"):
        await body()


async def test_a_suspended_machine_costs_what_was_there_and_no_more(make):
    suspended = []
    source = make(suspended=lambda: bool(suspended and suspended.pop()))
    async with running(source):
        drawn = []
        async for raw in draw(source.supply, 400_000):
            drawn.append(raw)
            if len(drawn) == 1:
                suspended.append(True)
        assert sum(map(len, drawn)) == 400_000
        assert source.supply.epoch >= 1
        account = source.supply.account()
        assert account.purged > 0
        assert account.in_flight == 0
        assert account.closes


async def test_a_source_that_comes_back_is_drawn_from_again(config, token):
    async with opened(config()) as supply:
        drawn = 0
        async for raw in draw(supply, 5_000_000):
            if not drawn:
                token.behave(Mode.CRASHES, calls=1)
            drawn += len(raw)
    assert drawn == 5_000_000
    assert token.initialisations == 2
    assert supply.account().generated == token.bytes_handed_out


async def test_the_bodys_own_error_comes_through(config):
    before = descriptors()
    with pytest.raises(ZeroDivisionError):
        async with opened(config()):
            raise ZeroDivisionError
    assert descriptors() == before


async def test_being_cancelled_ends_it(config):
    async def body():
        async with opened(config()):
            ready.set()
            await asyncio.sleep(60)

    before = descriptors()
    ready = asyncio.Event()
    task = asyncio.create_task(body())
    await asyncio.wait_for(ready.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert descriptors() == before


def test_on_uvloop():
    async def body():
        before = descriptors()
        async with opened(soft()) as supply:
            return before, sum([len(raw) async for raw in draw(supply, 3_000_000)])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        before, drawn = runner.run(body())
        assert drawn == 3_000_000
        assert runner.run(_descriptors()) == before


async def _descriptors():
    return descriptors()
