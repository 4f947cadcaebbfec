"""A refused PIN is tried once, by nobody ever again."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys

import pytest

from bridge.source.account import Fate
from bridge.source.errors import SourceFailed, SourceMisconfigured, SourceRefused
from bridge.source.generation import Timing
from bridge.source.latch import PinLatch
from bridge.source.logins import Logins
from bridge.source.status import SourceState
from tests.source.conftest import alive, running, until
from tests.support.testtoken import Trouble

FINAL_TRY = 0x00020000
LOCKED = 0x00040000


@pytest.fixture
def wrong_pin(pin_file):
    pin_file.write_text("000000\n")
    return pin_file


async def _refused(source):
    with pytest.raises(SourceRefused) as refused:
        await asyncio.wait_for(source.run(), 20)
    source.close()
    assert source.status().state is SourceState.LATCHED_PIN
    assert "\n" not in str(refused.value)
    return str(refused.value)


async def test_the_right_pin_logs_in_each_process_once(make, token, pin_file):
    token.login_needed = 1
    source = make(pin_file=pin_file)
    async with running(source):
        await until(lambda: source.is_running)
        assert token.logins == 1
        os.kill(source.status().pid, signal.SIGKILL)
        await until(lambda: source.status().restarts == 1 and source.is_running)
        assert token.logins == 2


async def test_that_a_login_has_ended_is_noted_without_waiting_for_a_tick(
    make, token, pin_file, tmp_path
):
    source = make(pin_file=pin_file, state_dir=tmp_path, timing=Timing(tick=600.0))
    async with running(source):
        await until(lambda: token.logins == 1)
        await until(lambda: not list(tmp_path.glob("login-begun.*")))


async def test_without_a_pin_there_is_no_login(make, token):
    source = make()
    async with running(source):
        await until(lambda: source.is_running)
    assert token.logins == 0


async def test_a_wrong_pin_is_tried_once_by_one_source(make, token, wrong_pin):
    token.login_needed = 1
    source = make(pin_file=wrong_pin)
    line = await _refused(source)
    assert line.startswith("hsm.test: the PIN was refused: CKR_PIN_INCORRECT (0xA0) from C_Login")
    assert "correct it before you start another" in line
    await _refused(source)
    assert token.logins == 1


async def test_a_wrong_pin_is_tried_once_by_all_bridges_to_come(make, token, wrong_pin, tmp_path):
    token.login_needed = 1
    await _refused(make(pin_file=wrong_pin, state_dir=tmp_path))
    note = tmp_path / "pin-refused.test"
    assert f"remove {note}" in await _refused(make(pin_file=wrong_pin, state_dir=tmp_path))
    assert "000000" not in note.read_text()
    assert token.logins == 1
    note.unlink()
    wrong_pin.write_text("123456")
    source = make(pin_file=wrong_pin, state_dir=tmp_path)
    async with running(source):
        await until(lambda: source.is_running)
    assert token.logins == 2


async def test_a_crash_in_c_login_counts_as_refused(make, token, pin_file, tmp_path):
    token.trouble = Trouble.LOGIN_CRASHES
    line = await _refused(make(pin_file=pin_file, state_dir=tmp_path))
    assert "the source was killed by SIGSEGV, in the middle of C_Login" in line
    await _refused(make(pin_file=pin_file, state_dir=tmp_path))
    assert token.logins == 1


async def test_a_hang_in_c_login_is_killed_and_counts_as_refused(make, token, pin_file, tmp_path):
    token.trouble = Trouble.LOGIN_HANGS
    source = make(pin_file=pin_file, state_dir=tmp_path, start_timeout_seconds=0.5)
    assert "hung while in C_Login for more than 0.5 s" in await _refused(source)
    assert (tmp_path / "pin-refused.test").exists()
    assert token.logins == 1


async def test_being_stopped_in_the_middle_of_c_login_counts_as_refused(
    make, token, pin_file, tmp_path
):
    token.trouble = Trouble.LOGIN_HANGS
    source = make(pin_file=pin_file, state_dir=tmp_path)
    task = asyncio.create_task(source.run())
    await until(lambda: token.logins == 1)
    pid = source.status().pid
    await source.stop()
    assert task.done()
    assert not alive(pid)
    assert (tmp_path / "pin-refused.test").exists()


async def test_a_login_that_is_slow_may_end_when_the_source_is_stopped(
    make, token, pin_file, tmp_path
):
    token.trouble = Trouble.LOGIN_HANGS
    source = make(pin_file=pin_file, state_dir=tmp_path, timing=Timing(tick=0.02, grace=0.3))
    task = asyncio.create_task(source.run())
    await until(lambda: token.logins == 1)
    stopping = asyncio.create_task(source.stop())
    await asyncio.sleep(1)
    token.trouble = Trouble.NONE
    await stopping
    assert task.exception() is None
    assert not (tmp_path / "pin-refused.test").exists()


async def test_a_login_that_was_begun_ends_before_a_suspended_machine_has_it_make_way(
    make, token, tmp_path
):
    pin_file, pin = tmp_path / "pin", tmp_path / "pin-to-come"
    os.mkfifo(pin_file)  # where it waits on its way from the permission to C_Login
    pin.write_text("123456")
    suspended = []
    source = make(pin_file=pin_file, suspended=lambda: bool(suspended and suspended.pop()))
    async with running(source):
        with await asyncio.to_thread(pin_file.open, "w") as file:  # once it reads
            first = source.status().pid
            suspended.append(True)
            await until(lambda: source.supply.halted)
            await asyncio.sleep(0.3)
            assert source.status().pid == first
            pin.replace(pin_file)
            file.write("123456")
        await until(lambda: source.status().restarts == 1 and source.is_running)
    assert "the machine was suspended" in source.lines.reasons()[0]
    assert token.logins == 2


async def test_one_that_is_about_to_log_in_may_when_the_source_is_stopped(make, token, tmp_path):
    pin_file = tmp_path / "pin"
    os.mkfifo(pin_file)
    source = make(pin_file=pin_file, state_dir=tmp_path, timing=Timing(tick=0.02, grace=0.3))
    task = asyncio.create_task(source.run())
    with await asyncio.to_thread(pin_file.open, "w") as file:
        stopping = asyncio.create_task(source.stop())
        await asyncio.sleep(1)
        file.write("123456")
    await stopping
    assert task.exception() is None
    assert token.logins == 1
    assert not list(tmp_path.glob("*-*.test"))


@pytest.mark.parametrize("noted", [True, False])
async def test_what_was_refused_to_a_successor_is_not_tried_again(
    make, token, pin_file, tmp_path, noted
):
    latch = PinLatch(tmp_path if noted else None, "test")
    before = make(pin_file=pin_file, latch=latch)
    async with running(before) as task:
        await until(lambda: before.is_running)
        pin_file.write_text("000000")
        await _refused(make(pin_file=pin_file, latch=latch, sessions=2))
        assert token.logins == 2
        os.kill(before.status().pid, signal.SIGKILL)
        await until(task.done)
        assert before.status().state is SourceState.LATCHED_PIN
        assert token.logins == 2


async def test_what_was_refused_to_a_successor_with_another_file_changes_nothing(
    make, token, pin_file, tmp_path
):
    latch = PinLatch(tmp_path, "test")
    other = tmp_path / "other"
    other.write_text("000000")
    before = make(pin_file=pin_file, latch=latch)
    async with running(before):
        await until(lambda: before.is_running)
        await _refused(make(pin_file=other, latch=latch))
        os.kill(before.status().pid, signal.SIGKILL)
        await until(lambda: before.status().restarts == 1 and before.is_running)
        assert token.logins == 3


async def test_tables_of_one_token_cost_it_one_wrong_try(make, token, wrong_pin, tmp_path):
    token.login_needed = 1
    logins = Logins()
    sources = [
        make(name=name, pin_file=wrong_pin, state_dir=tmp_path, logins=logins) for name in "abc"
    ]
    lines = await asyncio.gather(*map(_refused, sources))
    assert token.logins == 1
    assert sum("its token has refused the PIN of hsm." in line for line in lines) == 2
    assert len(list(tmp_path.glob("pin-refused.*"))) == 3
    assert not list(tmp_path.glob("login-begun.*"))


async def test_tables_of_one_token_log_in_one_after_the_other(make, token, pin_file, tmp_path):
    token.login_needed = 1
    token.trouble = Trouble.LOGIN_HANGS
    logins = Logins()
    sources = [
        make(name=name, pin_file=pin_file, state_dir=tmp_path, logins=logins) for name in "ab"
    ]
    async with running(sources[0]), running(sources[1]):
        await until(lambda: token.logins == 1)
        await asyncio.sleep(0.5)
        assert token.logins == 1
        token.trouble = Trouble.NONE
        await until(lambda: all(source.is_running for source in sources))
        assert token.logins == 2
        assert not [*tmp_path.glob("pin-refused.*"), *tmp_path.glob("login-begun.*")]


async def test_who_waits_for_a_login_that_hangs_is_refused_with_it(make, token, pin_file):
    token.trouble = Trouble.LOGIN_HANGS
    logins = Logins()
    sources = [
        make(name=name, pin_file=pin_file, logins=logins, start_timeout_seconds=seconds)
        for name, seconds in (("a", 1), ("b", 10))
    ]
    first = asyncio.create_task(_refused(sources[0]))
    await until(lambda: token.logins == 1)
    assert "its token has refused the PIN of hsm.a" in await _refused(sources[1])
    assert "hung while in C_Login for more than 1 s" in await first
    assert token.logins == 1
    assert not sources[1].status().restarts


async def test_tables_that_were_well_cost_one_try_when_their_pin_is_changed(make, token, pin_file):
    token.login_needed = 1
    logins = Logins()
    sources = [make(name=name, pin_file=pin_file, logins=logins) for name in "abc"]
    tasks = [asyncio.create_task(source.run()) for source in sources]
    await until(lambda: all(source.is_running for source in sources))
    pin_file.write_text("000000")
    pids = [source.status().pid for source in sources]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    assert all(isinstance(end, SourceRefused) for end in ended)
    assert token.logins == 3 + 1
    for source in sources:
        source.close()


async def test_tables_of_one_token_with_pins_of_their_own(make, token, pin_file, tmp_path):
    token.login_needed = 1
    logins, other = Logins(), tmp_path / "other"
    other.write_text("000000")
    await _refused(make(name="a", pin_file=other, logins=logins))
    source = make(name="b", pin_file=pin_file, logins=logins)
    async with running(source):
        await until(lambda: source.is_running)
    assert token.logins == 2


async def test_what_was_undone_is_undone_for_all(make, token, pin_file, tmp_path):
    token.login_needed = 1
    logins, latches = Logins(), [PinLatch(tmp_path, name) for name in "ab"]
    pin_file.write_text("000000")
    for latch in latches:
        await _refused(make(name=latch.name, pin_file=pin_file, latch=latch, logins=logins))
    pin_file.write_text("123456")
    for latch in latches:
        (tmp_path / f"pin-refused.{latch.name}").unlink()
    again = make(name="b", pin_file=pin_file, latch=latches[1], logins=logins)
    async with running(again):
        await until(lambda: again.is_running)
    assert token.logins == 2


async def test_a_bridge_that_is_killed_in_the_middle_of_a_login_leaves_a_note(
    make, token, pin_file, tmp_path
):
    token.trouble = Trouble.LOGIN_HANGS
    killed = tmp_path / "killed"
    killed.mkdir()
    async with running(make(pin_file=pin_file, state_dir=tmp_path)):
        await until(lambda: token.logins == 1)
        shutil.copy(tmp_path / "login-begun.test", killed)  # as if it were nobody's any more
    line = await _refused(make(pin_file=pin_file, state_dir=killed))
    assert "ended in the middle of a login" in line
    assert token.logins == 1
    (killed / "login-begun.test").unlink()
    token.trouble = Trouble.NONE
    source = make(pin_file=pin_file, state_dir=killed)
    async with running(source):
        await until(lambda: source.is_running)
    assert not list(killed.iterdir())


@pytest.mark.parametrize("state", ["empty", "gone"])
async def test_a_note_that_says_nothing_or_cannot_be_made_keeps_nobody_out(
    make, token, pin_file, tmp_path, state
):
    state_dir = tmp_path / "state"
    if state == "gone":
        state_dir = pin_file / "no directory"
    else:
        state_dir.mkdir()
        (state_dir / "login-begun.test").touch()  # died before it was written: no login yet
    source = make(pin_file=pin_file, state_dir=state_dir)
    async with running(source):
        await until(lambda: source.is_running)
    assert token.logins == 1


@pytest.fixture
async def other_process(tmp_path):
    """Another process with a login under way, which is refused once it is sent a line."""
    script = "import sys; from pathlib import Path; from bridge.source.latch import PinLatch"
    script += "; latch = PinLatch(Path(sys.argv[1]), 'test'); latch.check()"
    script += "; print(latch.announce(Path('pin')), flush=True); input()"
    script += "; latch.set('refused'); latch.withdraw()"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert await other.stdout.readline() == b"True\n"
    yield other
    if other.returncode is None:
        other.kill()
    await other.wait()


async def test_a_login_of_another_process_is_waited_for(
    make, token, pin_file, tmp_path, other_process
):
    source = make(pin_file=pin_file, state_dir=tmp_path)
    task = asyncio.create_task(source.run())
    await asyncio.sleep(1)
    assert not token.logins
    other_process.kill()
    await other_process.wait()
    with pytest.raises(SourceRefused, match="ended in the middle of a login"):
        await asyncio.wait_for(task, 20)
    source.close()
    assert not token.logins


async def test_who_waited_for_a_login_that_was_refused_makes_none(
    make, token, pin_file, tmp_path, other_process
):
    source = make(pin_file=pin_file, state_dir=tmp_path)
    task = asyncio.create_task(_refused(source))
    await until(lambda: source.status().pid is not None)
    await asyncio.sleep(0.5)
    await other_process.communicate(b"\n")
    assert "the PIN was refused before and is not tried again" in await task
    assert not token.logins
    assert [path.name for path in tmp_path.glob("*-*.test")] == ["pin-refused.test"]


async def test_a_command_says_when_another_login_does_not_end(
    make, token, pin_file, tmp_path, other_process
):
    source = make(pin_file=pin_file, state_dir=tmp_path, start_timeout_seconds=0.5, one_shot=True)
    with pytest.raises(SourceFailed, match="another login at its token does not end"):
        await asyncio.wait_for(source.run(), 20)
    source.close()
    assert not token.logins


async def test_a_login_cut_off_elsewhere_does_not_concern_a_pin_that_is_good(
    make, token, pin_file, tmp_path, other_process
):
    other_process.kill()
    await other_process.wait()
    note = tmp_path / "login-begun.test"
    cut_off = note.read_text()
    note.unlink()
    latch, logins = PinLatch(tmp_path, "test"), Logins()
    source = make(pin_file=pin_file, latch=latch, logins=logins)
    async with running(source) as task:
        await until(lambda: source.is_running)
        note.write_text(cut_off)
        after = make(pin_file=pin_file, latch=latch, logins=logins, sessions=2)  # of a reload
        async with running(after):
            await until(lambda: after.is_running)
        note.write_text(cut_off)
        os.kill(source.status().pid, signal.SIGKILL)
        await until(lambda: source.status().restarts == 1 and source.is_running)
        assert not note.exists()
        pin_file.write_text("000000")  # but this may have been what was cut off
        note.write_text(cut_off)
        os.kill(source.status().pid, signal.SIGKILL)
        await until(task.done)
        assert "ended in the middle of a login" in str(task.exception())
    assert token.logins == 3


@pytest.mark.parametrize(("flag", "word"), [(FINAL_TRY, "one wrong PIN more"), (LOCKED, "locked")])
async def test_a_token_that_is_about_to_lock_sees_no_login(make, token, pin_file, flag, word):
    token.flags = flag
    line = await _refused(make(pin_file=pin_file))
    assert word in line
    assert "no login was made" in line
    assert token.logins == 0


@pytest.mark.parametrize("content", [None, ""])
async def test_a_pin_that_cannot_be_read_is_a_mistake_of_configuration(
    make, token, pin_file, content
):
    pin_file.unlink()
    if content is not None:
        pin_file.write_text(content)
    source = make(pin_file=pin_file)
    with pytest.raises(SourceMisconfigured, match="the PIN cannot be read"):
        await source.run()
    source.close()
    assert token.logins == 0


async def test_what_was_published_before_a_refusal_stays(make, token, pin_file):
    source = make(pin_file=pin_file)
    task = asyncio.create_task(source.run())
    await until(lambda: source.supply.available_bytes > 1_000_000)
    pin_file.write_text("000000")
    os.kill(source.status().pid, signal.SIGKILL)
    with pytest.raises(SourceRefused):
        await asyncio.wait_for(task, 20)
    take = source.supply.take(1_000_000)
    take.spend()
    take.done(Fate.DELIVERED)
    source.close()
    account = source.supply.account()
    assert account.closes
    assert account.delivered > 900_000
    assert token.logins == 2
