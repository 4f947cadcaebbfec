"""Files of a group appear together or not at all, on any file system."""

import errno
import os
import stat
from pathlib import Path

import pytest

from bridge.kickstart import files
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.files import FileGroup, Folder


def names(path):
    return sorted(each.name for each in path.iterdir())


def write(path, *, replace=False, **contents):
    with Folder(path) as folder, FileGroup(folder, replace=replace) as group:
        for name, content in contents.items():
            group.add(name, content)
        group.appear()
        group.keep()


@pytest.fixture(params=["nameless", "hidden", "no links"])
def system(request, monkeypatch):
    """What the file system can do."""
    if request.param != "nameless":
        monkeypatch.setattr(files, "_open_nameless", lambda _folder: None)
    if request.param == "no links":

        def link(_source, target, **folders):
            if Path(f"/proc/self/fd/{folders['dst_dir_fd']}", target).exists():
                raise FileExistsError(errno.EEXIST, "File exists")
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    return request.param


@pytest.mark.parametrize("replace", [False, True])
def test_they_appear(system, tmp_path, replace):
    old = os.umask(0)
    try:
        write(tmp_path, replace=replace, a=b"one", b=bytearray(b"two" * 100_000))
    finally:
        os.umask(old)
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "b").read_bytes() == b"two" * 100_000
    for name in "ab":
        status = (tmp_path / name).stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_nlink == 1


@pytest.mark.parametrize("umask", [0, 0o277, 0o777])
def test_a_folder_that_was_missing_is_for_its_owner(tmp_path, umask):
    old = os.umask(umask)
    try:
        write(tmp_path / "payloads", a=b"one")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "payloads").stat().st_mode) == 0o700


def test_none_overwrites(system, tmp_path):
    (tmp_path / "b").write_text("old")
    with pytest.raises(KickstartError, match=r"b exists; choose another --output, or replace it"):
        write(tmp_path, a=b"new", b=b"new")
    assert names(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == "old"


def test_replace_does(system, tmp_path):
    (tmp_path / "b").write_text("old")
    (tmp_path / "b").chmod(0o644)
    write(tmp_path, replace=True, a=b"new", b=b"new")
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "b").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


@pytest.mark.parametrize("appeared", [False, True])
def test_what_is_not_kept_goes(system, tmp_path, appeared):
    with Folder(tmp_path) as folder, FileGroup(folder, replace=False) as group:
        group.add("a", b"new")
        group.add("b", b"new")
        assert not {"a", "b"} & {*names(tmp_path)}
        if appeared:
            group.appear()
            assert names(tmp_path) == ["a", "b"]
    assert names(tmp_path) == []


def test_a_write_that_fails_is_one_line(system, tmp_path, monkeypatch):
    def full(_descriptor, _content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Folder(tmp_path) as folder:
        monkeypatch.setattr(os, "write", full)
        with (
            pytest.raises(KickstartError, match=r"cannot write .*/a: No space left on device"),
            FileGroup(folder, replace=False) as group,
        ):
            group.add("a", b"new")
        monkeypatch.undo()
    assert names(tmp_path) == []


def test_a_folder_that_was_made_for_nothing_goes(tmp_path):
    with pytest.raises(ZeroDivisionError), Folder(tmp_path / "new"):
        raise ZeroDivisionError
    assert names(tmp_path) == []
    with Folder(tmp_path / "new"):
        (tmp_path / "new" / "kept").touch()
    assert names(tmp_path) == ["new"]
    with Folder(tmp_path / "new"):
        (tmp_path / "new" / "kept").unlink()
    assert names(tmp_path) == ["new"]


def test_a_folder_that_others_may_write_to(tmp_path):
    for mode, is_open in ((0o700, False), (0o755, False), (0o770, True), (0o777, True)):
        tmp_path.chmod(mode)
        with Folder(tmp_path) as folder:
            assert folder.is_open_to_others == is_open


def test_one_process_at_a_time(tmp_path):
    with Folder(tmp_path), pytest.raises(KickstartError, match="another build writes to"):
        Folder(tmp_path)
    with Folder(tmp_path):
        pass


@pytest.mark.parametrize("path", ["/proc/none", "/dev/null"])
def test_folders_that_cannot_be(path):
    with pytest.raises(KickstartError, match="cannot write to"):
        Folder(Path(path))


def test_descriptors_are_closed(system, tmp_path):
    def descriptors():
        return {each.name for each in Path("/proc/self/fd").iterdir()}

    before = descriptors()
    write(tmp_path, a=b"1", b=b"2")
    with pytest.raises(KickstartError):
        write(tmp_path, a=b"1")
    assert descriptors() == before
