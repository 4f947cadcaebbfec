"""The record of what was built in a directory: hashes, sizes, where from, when. No entropy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.kickstart.errors import KickstartError
from bridge.kickstart.files import FileGroup

if TYPE_CHECKING:
    from bridge.kickstart.files import Folder

NAME = "manifest.json"
_FORMAT = "entropy-bridge kickstart payloads, 1"
_BYTES_MAX = 64 * 2**20

Entry = dict[str, Any]


class Manifest:
    """The manifest of a folder; a host's entry takes the place of its former one."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.entries = _read(folder) if folder.has(NAME) else []

    @property
    def hashes(self) -> set[str]:
        """The SHA-256 of every payload that is recorded."""
        return {entry["payload_sha256"] for entry in self.entries}

    def record(self, entry: Entry) -> None:
        """Add an entry, and write the file anew."""
        others = [other for other in self.entries if other["host"] != entry["host"]]
        self.entries = [*others, entry]
        text = json.dumps({"format": _FORMAT, "payloads": self.entries}, indent=2)
        with FileGroup(self._folder, replace=True) as group:
            group.add(NAME, text.encode() + b"\n")
            group.appear()
            group.keep()


def _read(folder: Folder) -> list[Entry]:
    path = folder.path / NAME
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES_MAX)
    except OSError as error:
        raise KickstartError(f"cannot read {path}: {error.strerror}") from None
    try:
        return entries_in(content)
    except KickstartError as error:
        text = f"{path} {error}; move it away, or choose another --output"
        raise KickstartError(text) from None


def entries_in(content: bytes) -> list[Entry]:
    """Return what a manifest holds; KickstartError if it is none."""
    try:
        document = json.loads(content)
        entries = document["payloads"] if document["format"] == _FORMAT else None
    except (ValueError, TypeError, KeyError):
        entries = None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise KickstartError("is not one of ours")
    return entries


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and {"host", "payload_sha256"} <= entry.keys()
