"""Files for secrets: for their owner only, and all of a group or none.

A file has no name until it is complete and on the disk (O_TMPFILE), so that neither an error nor a
kill leaves half of one behind. File systems that cannot do that get a hidden name instead, which an
error removes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from bridge.kickstart.errors import KickstartError

_DESCRIPTORS = "/proc/self/fd"
_NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


class Folder:
    """A directory that this process alone writes payloads to; made if it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = False
        try:
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                self._made = True
                path.chmod(0o700)  # whatever the umask took from its owner
            self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise KickstartError(f"cannot write to {path}: {error.strerror}") from None
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.descriptor)
            raise KickstartError(f"another build writes to {path}; wait for it") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made:
            with suppress(OSError):  # it is empty only if nothing came of it
                self.path.rmdir()
        os.close(self.descriptor)

    @property
    def free_bytes(self) -> int:
        """How much may still be written."""
        system = os.fstatvfs(self.descriptor)
        return system.f_bavail * system.f_frsize

    @property
    def is_open_to_others(self) -> bool:
        """Whether other users may replace files here."""
        return bool(os.fstat(self.descriptor).st_mode & (stat.S_IWGRP | stat.S_IWOTH))

    def has(self, name: str) -> bool:
        """Whether there is a plain file of that name; KickstartError if it is something else."""
        try:
            mode = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(mode):
            raise KickstartError(f"{self.path / name} is not a plain file; remove it")
        return True

    def refuse(self, name: str, *, replace: bool) -> None:
        """Raise KickstartError if a file of that name cannot be written."""
        if self.has(name) and not replace:
            raise _exists(self.path / name)


class FileGroup:
    """Files that appear together. Used with `with`, which takes back what was not kept."""

    def __init__(self, folder: Folder, *, replace: bool) -> None:
        self._folder = folder
        self._replace = replace
        self._new: dict[str, _Nameless] = {}
        self._appeared: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._appeared:
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder.descriptor)
        for file in self._new.values():
            file.close()

    def add(self, name: str, content: bytes | bytearray) -> None:
        """Write a file, to the disk; it does not appear yet."""
        try:
            file = self._new[name] = _Nameless(self._folder, name)
            file.write(content)
        except OSError as error:
            raise _cannot(self._folder.path / name, error) from None

    def appear(self) -> None:
        """Give all files their names, never over an existing one unless `replace`."""
        for name, file in self._new.items():
            try:
                file.appear(name, replace=self._replace)
            except FileExistsError:
                raise _exists(self._folder.path / name) from None
            except OSError as error:
                raise _cannot(self._folder.path / name, error) from None
            self._appeared.append(name)
        os.fsync(self._folder.descriptor)

    def keep(self) -> None:
        """Leave the files where they are."""
        self._appeared.clear()


class _Nameless:
    """A file that has no name yet, or a hidden one where there is no other way."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder.descriptor
        self._other = f".{name}.{secrets.token_hex(8)}"
        self._hidden: str | None = None
        descriptor = _open_nameless(self._folder)
        if descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._other, flags, 0o600, dir_fd=self._folder)
            self._hidden = self._other
        self._descriptor = descriptor

    def write(self, content: bytes | bytearray) -> None:
        os.fchmod(self._descriptor, 0o600)
        left = memoryview(content)
        while left:
            left = left[os.write(self._descriptor, left) :]
        os.fsync(self._descriptor)

    def appear(self, name: str, *, replace: bool) -> None:
        if not replace:
            self._take(name)
            return
        if self._hidden is None:
            self._take(self._other)
            self._hidden = self._other
        self._rename(name)

    def close(self) -> None:
        if self._hidden is not None:
            with suppress(OSError):
                os.unlink(self._hidden, dir_fd=self._folder)
        os.close(self._descriptor)

    def _take(self, name: str) -> None:
        """Give it a name that nothing has, or raise FileExistsError."""
        if self._hidden is None:
            link = f"{_DESCRIPTORS}/{self._descriptor}"
            os.link(link, name, dst_dir_fd=self._folder, follow_symlinks=True)
            return
        try:
            os.link(self._hidden, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            self._take_without_links(name)
        else:
            os.unlink(self._hidden, dir_fd=self._folder)
            self._hidden = None

    def _take_without_links(self, name: str) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o600, dir_fd=self._folder))
        try:
            self._rename(name)
        except BaseException:
            os.unlink(name, dir_fd=self._folder)
            raise

    def _rename(self, name: str) -> None:
        if self._hidden is not None:
            os.rename(self._hidden, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._hidden = None


def _open_nameless(folder: int) -> int | None:
    if not Path(_DESCRIPTORS).is_dir():
        return None
    try:
        return os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return None
        raise


def _exists(path: Path) -> KickstartError:
    return KickstartError(f"{path} exists; choose another --output, or replace it with --force")


def _cannot(path: Path, error: OSError) -> KickstartError:
    return KickstartError(f"cannot write {path}: {error.strerror}")
