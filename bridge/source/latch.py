# SPDX-License-Identifier: Apache-2.0
"""A refused PIN is never tried again: the note that outlives the process.

The note is there from before a login until it is known that the PIN was accepted.

Without a state directory the note is kept in memory only, and holds as long as the process.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

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
        self._announced = False  # and no more than that is on disk
        self._pin_path: Path | None = None

    def check(self) -> None:
        """Raise SourceRefused if the PIN was refused before, and nobody has undone it."""
        if self._announced:
            return
        on_disk = self._path is not None and os.path.lexists(self._path)
        if self._noted and not on_disk:
            self._line, self._noted = None, False
        if self._line is not None:
            raise SourceRefused(self._line)
        if on_disk:
            raise SourceRefused(
                f"hsm.{self.name}: the PIN was refused before, or the bridge ended in the middle "
                f"of a login, and it is not tried again: correct it, then remove {self._path}"
            )

    def is_set(self) -> bool:
        """Tell whether check() would raise."""
        try:
            self.check()
        except SourceRefused:
            return True
        return False

    def concerns(self, pin_path: Path) -> bool:
        """Tell whether it may have been the PIN in this file that was refused."""
        return self._pin_path in (None, pin_path)

    def announce(self, pin_path: Path) -> None:
        """Note that a login begins, on disk: whoever finds the note does not know how it ended."""
        self._pin_path = pin_path
        if self._path is not None:
            with suppress(OSError):  # then it holds as long as the process, as without a directory
                _write(self._path, self._note("a login was begun, and nobody noted how it ended"))
                self._announced = True

    def withdraw(self) -> None:
        """Take back what was announced and did not end in a refusal."""
        if self._announced and self._path is not None:
            self._announced = False
            self._path.unlink(missing_ok=True)

    def set(self, reason: str, pin_path: Path | None = None) -> SourceRefused:
        """Note it, on disk before anything else; gives the error to raise."""
        self._pin_path = pin_path
        self._announced = False
        line = f"hsm.{self.name}: {reason}; the PIN is not tried again: "
        if self._path is None:
            line += "correct it, then start the bridge anew"
        else:
            try:
                _write(self._path, self._note(reason))
                self._noted = True
                line += f"correct it, then remove {self._path}"
            except OSError as error:
                line += f"correct it; {self._path} could not be written ({error.strerror})"
        self._line = line
        return SourceRefused(line)

    def _note(self, reason: str) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        return (
            f"{when}: [hsm.{self.name}] {reason}.\n"
            "Another wrong try may lock the token. Correct the PIN, then remove this file.\n"
        )


def _write(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, note.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
