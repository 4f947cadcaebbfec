"""Notes that a login is under way: made, found, taken over, and what a sick disk does to them."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bridge.source import announcement as module
from bridge.source.announcement import Announcement
from bridge.source.errors import SourceRefused
from bridge.source.latch import PinLatch

SERVICE = 65534
PIN = Path("/pin")
OTHER = """
import os, sys
from pathlib import Path
from bridge.source.announcement import Announcement
os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
it = Announcement(Path(sys.argv[1]))
print(it.was_left(), it.make("text"))
"""


@pytest.fixture
def note(tmp_path):
    return Announcement(tmp_path / "login-begun.test")


def seen_by_another(path, user):
    command = [sys.executable, "-c", OTHER, path, str(user)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_others_see_whether_its_maker_lives(note):
    assert not note.was_left()
    assert note.make("text")
    other = Announcement(note.path)
    assert not other.was_left()
    assert not other.make("text")
    note.leave()
    assert other.was_left()
    assert not other.make("text")
    assert other.make("text", take_over=True)
    other.withdraw()
    assert not note.path.exists()
    assert not note.was_left()


def test_the_service_waits_for_a_login_that_root_makes():
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    with tempfile.TemporaryDirectory() as state:  # pytest's are for their owner alone
        os.chown(state, SERVICE, SERVICE)
        _root_and_service(Announcement(Path(state) / "login-begun.test"))


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o077])
def test_it_is_seen_under_any_umask(umask):
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    with tempfile.TemporaryDirectory() as state:
        os.chown(state, SERVICE, SERVICE)
        before = os.umask(umask)
        try:
            note = Announcement(Path(state) / "login-begun.test")
            assert note.make("text")
        finally:
            os.umask(before)
        assert seen_by_another(note.path, SERVICE) == ["False", "False"]
        note.leave()
        assert seen_by_another(note.path, SERVICE) == ["True", "False"]


def _root_and_service(note):
    assert note.make("text")
    assert seen_by_another(note.path, SERVICE) == ["False", "False"]
    note.leave()
    assert seen_by_another(note.path, SERVICE) == ["True", "False"]
    note.path.unlink()
    assert seen_by_another(note.path, SERVICE) == ["False", "True"]


@pytest.mark.parametrize("failing", ["fsync", "write"])
def test_what_could_not_be_written_keeps_nobody_out(note, monkeypatch, failing):
    def fail(*_):
        raise OSError(errno.EIO, "sick")

    with monkeypatch.context() as sick:
        sick.setattr(module.os, failing, fail)
        with pytest.raises(OSError, match="sick"):
            note.make("text")
    assert not note.was_left()
    assert note.make("text")


def test_a_disk_that_became_sick_meanwhile_is_no_reason_to_stop(note, monkeypatch):
    def fail(*_):
        raise OSError(errno.EROFS, "read-only")

    assert note.make("text")
    with monkeypatch.context() as sick:
        sick.setattr(module.os, "ftruncate", fail)
        sick.setattr(type(note.path), "unlink", fail)
        note.withdraw()
    assert Announcement(note.path).was_left()  # all that can be said
    assert note.make("text", take_over=True)  # but by who knows better


def test_a_power_cut_brings_back_no_login_that_has_ended(note, monkeypatch):
    synced = []

    def seen(descriptor):
        fsync(descriptor)
        synced.append(os.fstat(descriptor))

    fsync = os.fsync
    monkeypatch.setattr(module.os, "fsync", seen)
    assert note.make("text")
    made = note.path.stat()
    note.withdraw()
    lengths = [info.st_size for info in synced if info.st_ino == made.st_ino]
    assert lengths == [len("text"), 0]


def test_what_nfs_says_late_stops_nobody(note, monkeypatch):
    def close(descriptor):
        really_close(descriptor)
        raise OSError(errno.EIO, "late")

    really_close = os.close
    assert note.make("text")
    with monkeypatch.context() as sick:
        sick.setattr(module.os, "close", close)
        assert not Announcement(note.path).was_left()
        assert not Announcement(note.path).make("text")
        note.withdraw()
    assert note.make("text")


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "directory"])
def test_what_is_not_a_file_of_its_own_is_left_alone(note, kind, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if kind == "link":
        note.path.symlink_to(precious)
    elif kind == "hard link":
        note.path.hardlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(note.path)
    else:
        note.path.mkdir()
    before = precious.stat()
    assert note.was_left() == (kind == "hard link")
    for take_over in (False, True):
        with pytest.raises(OSError, match=r"\[Errno"):
            note.make("text", take_over=take_over)
    assert precious.stat() == before
    assert precious.read_text() == "precious"


def test_a_refusal_that_cannot_be_noted_is_found_all_the_same(tmp_path):
    latch, other = PinLatch(tmp_path, "test"), PinLatch(tmp_path, "test")
    assert latch.announce(PIN)
    (tmp_path / "pin-refused.test").mkdir()
    latch.set("refused")
    latch.withdraw()
    (tmp_path / "pin-refused.test").rmdir()
    with pytest.raises(SourceRefused, match="ended in the middle of a login"):
        other.check()
    with pytest.raises(SourceRefused):
        other.announce(PIN)


def test_a_refusal_that_cannot_be_noted_says_nothing_of_a_pin_in_another_file(tmp_path):
    latch, other = PinLatch(tmp_path, "test"), PinLatch(tmp_path, "test")
    (tmp_path / "pin-refused.test").mkdir()
    latch.set("refused", tmp_path / "another")
    (tmp_path / "pin-refused.test").rmdir()
    assert latch.announce(PIN)
    latch.withdraw()
    other.check()
    with pytest.raises(SourceRefused, match="could not be written"):
        latch.announce(tmp_path / "another")


def test_a_refusal_that_cannot_be_noted_is_not_undone_with_the_one_before(tmp_path):
    latch, note = PinLatch(tmp_path, "test"), tmp_path / "pin-refused.test"
    latch.set("refused")
    note.unlink()
    note.mkdir()
    latch.set("refused once more")
    note.rmdir()
    with pytest.raises(SourceRefused, match="refused once more"):
        latch.check()
