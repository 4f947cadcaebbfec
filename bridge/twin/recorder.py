"""Writes down everything that reached the twin, so that files can prove what happened.

A record is a directory with two append-only files: `received.bin` holds the bodies, decoded, one
after the other in the order in which they were read, whatever was answered; `index.jsonl` holds
one line for each request. Every line is written at once and whole, so that a record can be read
while the twin runs and after it was killed.
"""

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path

from bridge.twin.failure import TwinError

INDEX_NAME = "index.jsonl"
BYTES_NAME = "received.bin"


@dataclass(slots=True)
class Entry:
    """One request: what arrived, what the pool was like, what was answered.

    Sizes are in raw bytes, before Base64. `status` 0 means that the client got no answer;
    it is what REST says, also where JSON-RPC wraps an error in a 200.
    `partial` means that the body broke off; `decoded` is false when it was no strict addition,
    and then the bytes that were kept are those that could still be decoded. `kept` says
    which end of the bytes the host accepted: head or tail.
    """

    operation: str
    host: str | None
    time_seconds: float
    number: int = 0
    status: int = 0
    body_bytes: int = 0
    raw_bytes: int = 0
    offset_bytes: int = 0
    decoded: bool = False
    partial: bool = False
    capacity_bytes: int | None = None
    available_before_bytes: int | None = None
    room_bytes: int | None = None
    accepted_bytes: int = 0
    kept: str = "head"
    faults: tuple[str, ...] = ()


_FIELDS = tuple(field.name for field in fields(Entry))


class Recorder:
    """Appends requests to a record; the directory must be new or empty."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if any(directory.iterdir()):
                raise TwinError(f"the record directory {directory} is not empty")
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._bytes_fd = os.open(directory / BYTES_NAME, flags, 0o600)
            self._index_fd = os.open(directory / INDEX_NAME, flags, 0o600)
        except OSError as error:
            raise TwinError(f"cannot write a record to {directory}: {error.strerror}") from error
        self._offset = 0
        self._number = 0

    def write(self, entry: Entry, raw: bytes) -> None:
        """Append one request; number, offset and raw_bytes of the entry are filled in here."""
        entry.number = self._number
        entry.offset_bytes = self._offset
        entry.raw_bytes = len(raw)
        if raw:
            _write_all(self._bytes_fd, raw)
        line = json.dumps({name: getattr(entry, name) for name in _FIELDS})
        _write_all(self._index_fd, line.encode() + b"\n")
        self._offset += len(raw)
        self._number += 1

    def close(self) -> None:
        """Close the files; the record stays."""
        os.close(self._bytes_fd)
        os.close(self._index_fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class Recording:
    """A record, read back."""

    def __init__(self, directory: Path) -> None:
        self._bytes_path = directory / BYTES_NAME
        text = (directory / INDEX_NAME).read_text()
        whole = text[: text.rfind("\n") + 1]
        self.entries = [_entry(line) for line in whole.splitlines()]

    def additions(self, host: str | None = None) -> list[Entry]:
        """Return the requests that carried entropy, of one host or of all, oldest first."""
        return [
            it
            for it in self.entries
            if it.operation == "pool.add" and (host is None or it.host == host)
        ]

    def hosts(self) -> list[str]:
        """Return the identifiers of all hosts that were sent entropy."""
        return sorted({it.host for it in self.additions() if it.host is not None})

    def raw(self, entry: Entry) -> bytes:
        """Return the bytes that one request carried."""
        with self._bytes_path.open("rb") as file:
            file.seek(entry.offset_bytes)
            return file.read(entry.raw_bytes)

    def received(self) -> bytes:
        """Return the bytes of all requests, oldest first; entries point into it."""
        return self._bytes_path.read_bytes()


def _entry(line: str) -> Entry:
    values = json.loads(line)
    values["faults"] = tuple(values["faults"])
    return Entry(**values)
