import os
import resource
import stat
from pathlib import Path

import pytest

from bridge.cli.errors import CommandError
from bridge.cli.private_file import private_file


def write(path, *, force=False, meanwhile=None):
    with private_file(path, force=force) as file:
        file.write(b"secret")
        if meanwhile is not None:
            meanwhile()


def names(folder):
    return [each.name for each in folder.iterdir()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "random.bin"


@pytest.mark.parametrize("umask", [0, 0o777])
def test_only_its_owner_may_read_it(path, umask):
    old = os.umask(umask)
    try:
        write(path)
    finally:
        os.umask(old)
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == [path.name]


def test_it_is_not_there_before_it_is_whole(path):
    with private_file(path, force=False) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
    assert path.exists()


def test_a_failure_leaves_nothing(path):
    with pytest.raises(ZeroDivisionError):
        write(path, meanwhile=lambda: 1 / 0)
    assert names(path.parent) == []


def test_a_full_disk_is_said_of_the_file_and_leaves_nothing(path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3, limits[1]))
    try:
        with pytest.raises(CommandError, match=rf"^cannot write {path}: File too large$"):
            write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(path.parent) == []


def test_an_existing_file_stays(path):
    path.write_bytes(b"old")
    with pytest.raises(CommandError, match=r"exists; choose another name, or .* --force"):
        write(path)
    assert path.read_bytes() == b"old"


def test_a_file_that_appears_meanwhile_stays(path):
    with pytest.raises(CommandError, match="exists"):
        write(path, meanwhile=lambda: path.write_bytes(b"old"))
    assert path.read_bytes() == b"old"
    assert names(path.parent) == [path.name]


def test_without_links_it_still_does_not_overwrite(path, monkeypatch):
    def unsupported(_self, _target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", unsupported)
    write(path)
    assert path.read_bytes() == b"secret"
    path.unlink()
    with pytest.raises(CommandError, match="exists"):
        write(path, meanwhile=lambda: path.write_bytes(b"old"))
    assert path.read_bytes() == b"old"


def test_force_replaces_it(path):
    path.write_bytes(b"old")
    path.chmod(0o644)
    write(path, force=True)
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("force", [False, True])
def test_neither_a_device_nor_a_link_is_replaced(path, force):
    with pytest.raises(CommandError, match="is not a plain file"):
        write(Path("/dev/null"), force=force)
    path.symlink_to("/etc/passwd")
    with pytest.raises(CommandError, match="is not a plain file"):
        write(path, force=force)


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(CommandError, match=r"cannot write .*: No such file or directory"):
        write(tmp_path / "none" / "file")
