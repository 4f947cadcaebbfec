# SPDX-License-Identifier: Apache-2.0
"""A refused PIN is never tried again: the note that outlives the process.

Nor is one of which nobody knows how its login ended, because whoever made it died in the middle.
Without a state directory the note is kept in memory only, and holds as long as the process.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from bridge.source.announcement import Announcement, open_note, sync_directory
from bridge.source.errors import SourceRefused

if TYPE_CHECKING:
    from pathlib import Path


class PinLatch:
    """Says whether the PIN of the HSM `name` was refused; a person has to undo it."""

    def __init__(self, state_dir: Path | None, name: str) -> None:
        self.name = name
        self._path = None if state_dir is None else state_dir / f"pin-refused.{name}"
        self._line: str | None = None
        self._noted = False  # on disk, so that it can be undone there
        self._untold = False  # nothing but the announcement tells of how our login ended
        self._announcement = (
            None if state_dir is None else Announcement(state_dir / f"login-begun.{name}")
        )
        self._pin_path: Path | None = None

    def check(self) -> None:
        """Raise SourceRefused if the PIN was refused before, or a login was cut off."""
        self.check_refusal()
        self._check_announcement()

    def check_refusal(self) -> None:
        """Raise SourceRefused if the PIN was refused before, and nobody has undone it."""
        if self._is_undone():
            self._line, self._pin_path, self._noted = None, None, False
        if self._line is not None:
            raise SourceRefused(self._line)
        if self._is_on_disk():
            raise SourceRefused(
                f"hsm.{self.name}: the PIN was refused before and is not tried again: "
                f"correct it, then remove {self._path}"
            )

    def is_set(self) -> bool:
        """Tell whether the PIN was refused before, and nobody has undone it."""
        try:
            self.check_refusal()
        except SourceRefused:
            return True
        return False

    def concerns(self, pin_path: Path) -> bool:
        """Tell whether it may have been the PIN in this file that was refused."""
        return self._pin_path in (None, pin_path) or self._is_undone()

    def announce(self, pin_path: Path, *, known_good: bool = False) -> bool:
        """Note on disk that a login begins; False while another process has one under way.

        Raises SourceRefused if the PIN was refused, maybe to the one that was waited for, or if
        somebody died in the middle of a login, unless the PIN is known to be good: then that one
        was, too.
        """
        if self._announcement is not None:
            if not known_good:
                self._check_announcement()
            if not self._is_announced(self._announcement, known_good=known_good):
                return False
        try:
            # Not before: a refusal is noted before the announcement of that login goes.
            if self.concerns(pin_path):
                self.check_refusal()
        except SourceRefused:
            self.withdraw()
            raise
        self._untold = False
        return True

    def withdraw(self) -> None:
        """Note that it is known how the login ended; a refusal is to be noted first."""
        if self._announcement is None:
            return
        if self._untold:
            self._announcement.leave()
        else:
            self._announcement.withdraw()

    def set(self, reason: str, pin_path: Path | None = None) -> SourceRefused:
        """Note it, on disk before anything else; gives the error to raise."""
        self._pin_path, self._noted = pin_path, False
        line = f"hsm.{self.name}: {reason}; the PIN is not tried again"
        if self._path is None:
            # the next process would not know
            line += " by this process: correct it before you start another, or the token may lock"
        else:
            line += ": "
            try:
                _write(self._path, self._note(reason))
                self._noted = True
                line += f"correct it, then remove {self._path}"
            except OSError as error:
                line += f"correct it; {self._path} could not be written ({error.strerror})"
                self._untold = True
        self._line = line
        return SourceRefused(line)

    def _is_on_disk(self) -> bool:
        return self._path is not None and os.path.lexists(self._path)

    def _is_undone(self) -> bool:
        return self._noted and not self._is_on_disk()

    def _is_announced(self, announcement: Announcement, *, known_good: bool) -> bool:
        try:
            return announcement.make(self._note("a login was begun"), take_over=known_good)
        except OSError:  # it holds as long as the process, as without a directory
            return True

    def _check_announcement(self) -> None:
        if self._announcement is not None and self._announcement.was_left():
            raise SourceRefused(
                f"hsm.{self.name}: the bridge, or a command, ended in the middle of a login, and "
                "nobody knows whether the PIN was refused; it is not tried again: see that it is "
                f"right, then remove {self._announcement.path}"
            )

    def _note(self, reason: str) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        return (
            f"{when}: [hsm.{self.name}] {reason}.\n"
            "Another wrong try may lock the token. Correct the PIN, then remove this file.\n"
        )


def _write(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_note(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)
