# SPDX-License-Identifier: Apache-2.0
"""That a login is under way, noted on disk before it begins and locked by whoever makes it.

Who dies in the middle leaves the note without the lock: then nobody knows how the login ended. A
`check` or a `probe` beside a bridge that runs is told from that by the lock.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Announcement:
    """One file, for all logins of one HSM's table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None  # the lock, while our own login is under way

    def was_left(self) -> bool:
        """Tell whether somebody died in the middle of a login, as far as that can be seen."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return _lock(descriptor) and _is_whole(descriptor)
        except OSError:  # a file system without locks
            return False
        finally:
            os.close(descriptor)

    def make(self, note: str) -> bool:
        """Write it; False while somebody else's stands, whether they live or not.

        Raises OSError if it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # another may have been withdrawn between the two, and the lock be of no name
            if not _lock(descriptor) or os.fstat(descriptor).st_size or not _named(descriptor):
                return False
            os.fchmod(descriptor, 0o644)  # whoever runs a check is to be understood by the service
            try:
                os.write(descriptor, note.encode())
                os.fsync(descriptor)
                sync_directory(self.path.parent)
            except OSError:
                os.ftruncate(descriptor, 0)
                raise
            self._descriptor, descriptor = descriptor, -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return True

    def withdraw(self) -> None:
        """Take our own back, if there is one."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)  # which is enough, where the name cannot be removed
            with suppress(OSError):
                self.path.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def sync_directory(path: Path) -> None:
    """Have a directory's entries on disk."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _named(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink > 0


def _is_whole(descriptor: int) -> bool:
    """Whether it is written and not withdrawn: a login begins after the former."""
    return os.fstat(descriptor).st_size > 0 and _named(descriptor)
