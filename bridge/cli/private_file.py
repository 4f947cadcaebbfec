"""A file for secrets: for its owner only, complete or not there, never over another."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bridge.cli.errors import CommandError


@contextmanager
def private_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Give a file to write; it appears as `path` with mode 0600 if the body does not raise."""
    _refuse(path, force=force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask took from its owner
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            temporary.replace(path)
        else:
            _appear(temporary, path)
    except OSError as error:
        if error.filename is not None:
            raise
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _refuse(path: Path, *, force: bool) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise CommandError(f"{path} is not a plain file; use --output - and redirect")
    if not force:
        raise _exists(path)


def _appear(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without links: take the name first
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise _exists(path) from None
        temporary.replace(path)


def _exists(path: Path) -> CommandError:
    return CommandError(f"{path} exists; choose another name, or replace it with --force")
