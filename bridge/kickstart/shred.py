"""A used payload, destroyed as far as a program can."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.kickstart.check import Kind
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.lines import split_lines

_CHUNK_BYTES = 2**20
_LOOK_BYTES = 2**26
_NEVER_IN_PLACE = ("btrfs", "zfs", "bcachefs", "f2fs", "nilfs2")
_ELSEWHERE = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse")


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was destroyed, and what may be left of it on this storage."""

    path: Path
    n_bytes: int
    file_system: str
    remains: str


def shred(path: Path, *, anything: bool = False) -> Shredded:
    """Overwrite a file once with random bytes, to the disk, and remove it.

    KickstartError if it holds no payload, unless `anything`; and if it is no plain file.
    """
    try:
        with open(path, "r+b", buffering=0, opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KickstartError(f"{path} is not a plain file")
            if not anything and not _holds_payload(path, file.read(_LOOK_BYTES)):
                raise KickstartError(f"{path} holds no payload; --force destroys it all the same")
            file_system = _file_system(path)
            _overwrite(file.fileno(), status.st_size)
    except OSError as error:
        reason = "it is a link; name the file itself" if path.is_symlink() else error.strerror
        raise KickstartError(f"cannot destroy {path}: {reason}") from None
    try:
        _remove(path)
    except OSError as error:
        raise KickstartError(
            f"{path} was overwritten, but cannot be removed: {error.strerror}"
        ) from None
    remains = _remains(file_system, status.st_dev)
    return Shredded(path, status.st_size, file_system, remains)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _holds_payload(path: Path, content: bytes) -> bool:
    if Kind.of(path) is not Kind.KICKSTART:
        return True
    return any(b"--data" in line.content for line in split_lines(content).entropy)


def _overwrite(descriptor: int, n_bytes: int) -> None:
    at = 0
    while at < n_bytes:
        at += os.pwrite(descriptor, os.urandom(min(_CHUNK_BYTES, n_bytes - at)), at)
    os.fsync(descriptor)


def _remove(path: Path) -> None:
    nameless = path.with_name(secrets.token_hex(8))  # the host's name goes, too
    path.rename(nameless)
    nameless.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _file_system(path: Path) -> str:
    """Return the type of the file system that a path is on; empty if it cannot be told."""
    best, found = "", ""
    with suppress(OSError):
        where = str(path.resolve())
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
            mount, _, rest = line.partition(" - ")
            point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount.split(" ")[4])
            inside = where == point or where.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, found = point, rest.split(" ")[0]
    return found


def _remains(file_system: str, device: int) -> str:
    if file_system in _NEVER_IN_PLACE:
        return (
            f"{file_system} writes elsewhere instead of over the old content, which is still there"
        )
    if file_system.partition(".")[0] in _ELSEWHERE:
        return f"what is left of it is up to the server behind {file_system}"
    if file_system == "tmpfs":
        return "it was in memory, unless it was swapped out"
    if file_system == "overlay":
        return "overlay leaves what an image layer below holds"
    if _is_flash(device) is False:
        return (
            "a disk that overwrites in place keeps nothing but what is in a journal; "
            "whether a virtual disk does so is up to what is behind it"
        )
    return "a flash drive may keep the old content where only its maker gets at it"


def _is_flash(device: int) -> bool | None:
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    for queue in (block / "queue", block.resolve().parent / "queue"):
        with suppress(OSError):
            return (queue / "rotational").read_text().strip() == "0"
    return None
