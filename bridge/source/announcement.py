# SPDX-License-Identifier: Apache-2.0
"""That a login is under way, noted on disk before it begins and locked by whoever makes it.

Who dies in the middle leaves the note without the lock: then nobody knows how the login ended. A
`check` or a `probe` beside a bridge that runs is told from that by the lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The directory is the service's, and root writes there too: follow no link, wait at no pipe.
_OPEN_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE = 0o644  # for all to see, whatever the umask: it holds no secret


class Announcement:
    """One file, for all logins of one HSM's table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None  # the lock, while our own login is under way

    def was_left(self) -> bool:
        """Tell whether somebody died in the middle of a login, as far as that can be seen."""
        return self._looked_at() is False

    def make(self, note: str, *, take_over: bool = False) -> bool:
        """Write it; False while somebody else's stands, unless it was left and is taken over.

        Raises OSError if it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = open_note(self.path, os.O_RDWR)
        except PermissionError:  # another user's
            if self._looked_at():
                return False
            raise
        try:
            self._share(descriptor)
            if not _lock(descriptor, fcntl.LOCK_EX):
                return False
            info = os.fstat(descriptor)
            # without a name, it was withdrawn after it was opened
            if not info.st_nlink or (info.st_size and not take_over):
                return False
            self._descriptor, descriptor = descriptor, -1
        finally:
            if descriptor >= 0:
                _close(descriptor)
        try:
            self._write(self._descriptor, note)
        except OSError:
            self.withdraw()
            raise
        return True

    def withdraw(self) -> None:
        """Take our own back, if there is one."""
        if self._descriptor is not None:
            with suppress(OSError):  # either is enough
                os.ftruncate(self._descriptor, 0)
                os.fsync(self._descriptor)  # or it is back after a power cut
            with suppress(OSError):
                self.path.unlink()
            self.leave()

    def leave(self) -> None:
        """Let others find our own, if there is one, as if we had died."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            _close(descriptor)

    def _share(self, descriptor: int) -> None:
        """Let the service lock it, and everybody see it, whoever makes it: before it is locked."""
        user = os.geteuid()
        if user in (0, os.fstat(descriptor).st_uid):
            os.fchmod(descriptor, _MODE)
        if user == 0:
            owner = self.path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)

    def _write(self, descriptor: int, note: str) -> None:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        os.fsync(descriptor)
        sync_directory(self.path.parent)

    def _looked_at(self) -> bool | None:
        """Tell whether who made it lives; None when there is none that says anything."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _OPEN_FLAGS)
        except OSError:
            return None
        try:
            # shared: an exclusive lock would need the right to write, on NFS
            lives = not _lock(descriptor, fcntl.LOCK_SH)
            info = os.fstat(descriptor)
        except OSError:  # a file system without locks
            return None
        finally:
            _close(descriptor)
        is_whole = stat.S_ISREG(info.st_mode) and info.st_size and info.st_nlink
        return lives if lives or is_whole else None


def open_note(path: Path, access: int) -> int:
    """Open a note, or make an empty one; OSError also for what is no file, or has other names."""
    descriptor = os.open(path, access | os.O_CREAT | _OPEN_FLAGS, _MODE)
    info = os.fstat(descriptor)
    if stat.S_ISREG(info.st_mode) and info.st_nlink <= 1:
        return descriptor
    _close(descriptor)
    raise OSError(errno.EINVAL, "not a file of its own")


def sync_directory(path: Path) -> None:
    """Have a directory's entries on disk."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _close(descriptor: int) -> None:
    with suppress(OSError):  # it is closed all the same; NFS may say late that a write failed
        os.close(descriptor)
