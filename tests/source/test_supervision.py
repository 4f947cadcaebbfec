"""A source that ends or hangs is replaced, and nothing is lost that was published."""

import asyncio
import os
import signal
import subprocess

import pytest

from bridge.source.account import Fate
from bridge.source.errors import SourceFailed, SourceMisconfigured
from bridge.source.generation import Timing
from bridge.source.status import SourceState
from tests.source.conftest import alive, descriptors, idle, running, until
from tests.support.testtoken import Mode, Trouble


async def test_it_runs_and_ends_and_leaves_nothing(make, token):
    source = make()
    before = descriptors()
    async with running(source):
        await until(lambda: source.is_running)
        status = source.status()
        assert status.state is SourceState.RUNNING
        assert status.token == "testtoken, T0001, " + status.token.rsplit(", ", 1)[1]
        assert (status.last_error, status.restarts, status.is_soft_token) == ("", 0, False)
        assert alive(status.pid)
        await idle(source, token)
        assert source.supply.account().closes
    assert not alive(status.pid)
    assert descriptors() == before
    assert source.status().state is SourceState.STOPPED
    account = source.supply.account()
    assert account.closes
    assert account.generated == token.bytes_handed_out
    assert account.in_ring == account.in_source == 0


async def test_a_crash_in_the_module_is_survived_to_the_byte(make, token):
    source = make()
    async with running(source):
        await idle(source, token)
        first = source.status().pid
        there = source.supply.available_bytes
        token.behave(Mode.CRASHES)
        source.supply.take(3 * 12288).done(Fate.DELIVERED)  # makes space, so that it calls
        await until(lambda: not alive(first))
        assert source.supply.available_bytes == there - 3 * 12288
        assert source.supply.take(3000) is not None
        token.behave(Mode.NORMAL)
        await until(lambda: source.is_running and source.status().restarts)
        await idle(source, token)
        assert "was killed by SIGSEGV" in source.lines.reasons()[0]
    account = source.supply.account()
    assert account.closes
    assert account.generated == token.bytes_handed_out
    assert account.delivered == 3 * 12288
    assert account.in_flight == 3000


async def test_a_killed_source_is_replaced_to_the_byte(make, token):
    source = make(sessions=2)
    async with running(source):
        for restarts in range(1, 4):
            await idle(source, token)
            os.kill(source.status().pid, signal.SIGKILL)
            await until(lambda n=restarts: source.status().restarts == n and source.is_running)
            source.supply.take(300_000).done(Fate.UNKNOWN)
        await idle(source, token)
    account = source.supply.account()
    assert account.closes
    assert account.generated == token.bytes_handed_out
    assert account.unknown == 900_000


async def test_a_call_that_hangs_is_killed_and_hosts_are_fed_meanwhile(make, token):
    source = make(timing=Timing(tick=0.02, call_floor=0.6, backoff_first=0.05))
    async with running(source):
        await idle(source, token)
        first = source.status().pid
        token.behave(Mode.HANGS)
        source.supply.take(600_000).done(Fate.DELIVERED)
        fed = 0
        while alive(first):
            if (take := source.supply.take(3000)) is not None:
                fed += take.raw_bytes
                take.done(Fate.DELIVERED)
            await asyncio.sleep(0.02)
        assert fed > 0
        token.behave(Mode.NORMAL)
        await until(lambda: source.is_running and source.status().restarts)
        assert "hung in C_GenerateRandom for more than 0.6 s" in source.lines.reasons()[0]
    assert source.supply.account().closes


async def test_a_source_that_stands_still_between_calls_is_killed(make, token):
    source = make(timing=Timing(tick=0.02, call_floor=0.6, backoff_first=0.05))
    async with running(source):
        await idle(source, token)
        first = source.status().pid
        os.kill(first, signal.SIGSTOP)
        await asyncio.sleep(1)
        assert source.status().pid == first  # nothing is asked of it
        source.supply.take(600_000).done(Fate.DELIVERED)
        await until(lambda: source.is_running and source.status().restarts)
        assert "made no call for more than 0.6 s" in source.lines.reasons()[0]
        await idle(source, token)
    assert not alive(first)
    account = source.supply.account()
    assert account.closes
    assert account.generated == token.bytes_handed_out


async def test_calls_of_4_seconds_are_left_alone(make, token):
    source = make(timing=Timing(backoff_first=0.05))
    token.latency_us = 4_000_000
    async with running(source):
        await until(lambda: token.calls >= 2)
        pid = source.status().pid
        await until(lambda: source.status().slowest_call_seconds >= 4)
        assert source.status().restarts == 0
        assert source.status().pid == pid


async def test_a_slow_source_makes_the_limit_grow(make, token):
    source = make(timing=Timing(tick=0.02, call_floor=0.8, backoff_first=0.05))
    token.latency_us = 300_000
    async with running(source):
        await until(lambda: token.calls >= 2)
        token.latency_us = 1_000_000  # longer than the floor, shorter than four times the slowest
        calls = token.calls
        await until(lambda: token.calls >= calls + 3)
        assert source.status().restarts == 0


async def test_c_initialize_that_hangs_is_killed(make, token):
    source = make(start_timeout_seconds=0.5)
    token.trouble = Trouble.INITIALIZE_HANGS
    async with running(source):
        await until(lambda: len(source.lines.reasons()) >= 2)
        assert "hung while in C_Initialize for more than 0.5 s" in source.lines.reasons()[0]
        token.trouble = Trouble.NONE
        await until(lambda: source.is_running)


async def test_bytes_that_were_not_written_are_never_published(make, token):
    source = make()
    async with running(source):
        await idle(source, token)
        token.behave(Mode.WRITES_NOTHING, calls=1)
        seen = bytearray()
        for _ in range(20):
            if (take := source.supply.take(100_000)) is not None:
                seen += b"".join(take.pieces)
                take.done(Fate.DELIVERED)
            await asyncio.sleep(0.02)
        await until(lambda: source.status().test_failures["poison"] == 1)
        assert source.supply.account().failed > 0
    assert b"AAAAAAAAAAAAAAAA" not in seen


async def test_a_stuck_module_latches_until_somebody_starts_it_anew(make, token):
    source = make()
    async with running(source) as task:
        await idle(source, token)
        there = source.supply.available_bytes
        token.behave(Mode.ALL_EQUAL)
        source.supply.take(600_000).done(Fate.DELIVERED)
        await until(lambda: source.status().state is SourceState.LATCHED_HEALTH)
        initialisations = token.initialisations
        token.behave(Mode.NORMAL)
        await asyncio.sleep(0.5)
        assert token.initialisations == initialisations
        assert not task.done()
        assert source.supply.available_bytes >= there - 600_000  # what passed is still there
        assert source.status().last_error
    assert source.supply.account().closes


async def test_an_absent_token_comes_back(make, token):
    source = make(token_label="testtoken")
    token.behave(Mode.ABSENT)
    async with running(source):
        await until(lambda: len(source.lines.reasons()) >= 3)
        assert "no token labelled 'testtoken'" in source.status().last_error
        token.behave(Mode.NORMAL)
        await until(lambda: source.is_running)
        await idle(source, token)
        token.behave(Mode.ABSENT)
        source.supply.take(300_000).done(Fate.DELIVERED)
        await until(lambda: source.status().state is SourceState.BACKOFF)
        token.behave(Mode.NORMAL)
        await until(lambda: source.is_running)
    assert source.supply.account().closes


async def test_an_ambiguous_label_is_refused(make, token):
    token.slots = 2
    source = make(token_label="testtoken")
    with pytest.raises(SourceMisconfigured, match=r"hsm.test: 2 tokens labelled 'testtoken': set"):
        await source.run()
    source.close()


async def test_a_missing_label_lists_what_is_there(make):
    source = make(token_label="other", one_shot=True)
    with pytest.raises(SourceFailed, match="no token labelled 'other'; present: 'testtoken'"):
        await source.run()
    source.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot open shared object file"), ("not a library", "cannot be loaded")],
)
async def test_a_wrong_module_is_refused(make, tmp_path, content, words):
    module = tmp_path / "module.so"
    if content is not None:
        module.write_text(content)
    source = make(module=module)
    with pytest.raises(SourceMisconfigured, match=words) as refused:
        await source.run()
    assert "\n" not in str(refused.value)
    assert "name the PKCS#11 library that the HSM's vendor delivers" in str(refused.value)
    source.close()


async def test_a_library_that_is_no_module_is_refused(make):
    source = make(module="/lib/x86_64-linux-gnu/libm.so.6")
    with pytest.raises(SourceMisconfigured, match="no C_GetFunctionList; name the PKCS#11"):
        await source.run()
    source.close()


async def test_twenty_restarts_leak_nothing(make, token):
    source = make(timing=Timing(tick=0.02, backoff_first=0.01, backoff_most=0.01))
    async with running(source):
        await until(lambda: source.is_running)
        before = len(descriptors())
        for restarts in range(1, 21):
            os.kill(source.status().pid, signal.SIGKILL)
            await until(lambda n=restarts: source.status().restarts == n and source.is_running)
        assert len(descriptors()) == before
        assert source.supply.account().closes


async def test_stop_ends_run_and_may_be_repeated(make):
    source = make()
    task = asyncio.create_task(source.run())
    await until(lambda: source.is_running)
    pid = source.status().pid
    await source.stop()
    assert task.done()
    assert task.exception() is None
    assert not alive(pid)
    await source.stop()
    task = asyncio.create_task(source.run())  # and may be begun again
    await until(lambda: source.is_running)
    await source.stop()
    assert source.supply.account().closes


async def test_a_source_that_does_not_end_is_killed(make, token):
    source = make(timing=Timing(tick=0.02, grace=0.3))
    async with running(source):
        await idle(source, token)
        pid = source.status().pid
        os.kill(pid, signal.SIGSTOP)
    assert not alive(pid)


async def test_a_process_that_cannot_be_killed_is_left_behind(make, token, monkeypatch):
    source = make(timing=Timing(tick=0.02, call_floor=0.3, reap=0.3, backoff_first=0.05))
    before = descriptors()
    async with running(source):
        await idle(source, token)
        first = source.status().pid
        there = source.supply.available_bytes
        take = source.supply.take(50_001)
        text = b"".join(take.pieces)
        take.spend()
        token.behave(Mode.HANGS)
        source.supply.take(100_002).done(Fate.DELIVERED)
        with monkeypatch.context() as patch:  # as if it were deep in a driver
            patch.setattr(subprocess.Popen, "kill", lambda _: None)
            await until(lambda: source.status().restarts == 1)
        assert alive(first)
        # A new ring, and what was published into the old one is still to be had.
        token.behave(Mode.NORMAL)
        await until(lambda: source.is_running)
        assert source.supply.available_bytes > there
        assert b"".join(take.pieces) == text
        take.done(Fate.DELIVERED)
        source.supply.take(there).done(Fate.DELIVERED)
        os.kill(first, signal.SIGKILL)
    assert not alive(first)
    assert descriptors() == before
    assert source.supply.account().closes


async def test_ctrl_c_and_reload_are_the_parents_and_sigterm_ends_it(make):
    source = make()
    async with running(source):
        await until(lambda: source.is_running)
        pid = source.status().pid
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGHUP)
        await asyncio.sleep(0.3)
        assert source.status().pid == pid
        os.kill(pid, signal.SIGTERM)
        await until(lambda: source.status().restarts == 1 and source.is_running)
        assert "exit code 0" in source.lines.reasons()[0]


async def test_what_the_module_prints_is_logged_and_does_no_harm(make, token):
    source = make(env={**token.environment, "LD_DEBUG": "files"})
    async with running(source):
        await until(lambda: source.is_running)
        assert source.status().token.startswith("testtoken")
        assert any(event == "the module prints" for event, _ in source.lines.events)
