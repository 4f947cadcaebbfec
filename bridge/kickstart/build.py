"""Payloads for new hosts: drawn, tested, written, recorded; each host has its own bytes."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from bridge.kickstart.assess import assess
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.files import FileGroup, Folder
from bridge.kickstart.manifest import Entry, Manifest
from bridge.kickstart.payload import draw_payload
from bridge.kickstart.sources import sources_text
from bridge.native import base64_encode_into, wipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.kickstart.plan import Plan
    from bridge.source.supply import Supply

AUTOCORRELATED_BLOCKS = 16  # `kickstart check` looks at more
_SPARE_BYTES = 2**20  # for the manifest


class Watcher(Protocol):
    """Hears how it goes."""

    def drawn(self, n_bytes: int) -> None:
        """Hear that bytes were drawn; with a negative number, that they were given up."""

    def built(self, entry: Entry) -> None:
        """Hear that a host's files are there."""


class Builder:
    """Builds a plan in a folder, which is checked first: KickstartError."""

    def __init__(self, plan: Plan, folder: Folder, *, replace: bool) -> None:
        self._plan = plan
        self._folder = folder
        self._replace = replace
        for name in plan.all_file_names():
            folder.refuse(name, replace=replace)
        self._manifest = Manifest(folder)
        needed_bytes = plan.file_bytes + _SPARE_BYTES
        if folder.free_bytes < needed_bytes:
            raise KickstartError(
                f"{folder.path} has {folder.free_bytes:,} bytes left of {needed_bytes:,} needed"
            )

    async def build(self, supply: Supply, hsm: Mapping[str, str], watcher: Watcher) -> None:
        """Build for one host after the other; those that are built stay when a later one fails.

        `hsm` is for the manifest: which token it is.
        """
        for host in self._plan.hosts:
            raw = await draw_payload(supply, self._plan.n_bytes, watcher.drawn)
            with _wiped(raw):
                watcher.built(self._write(host, raw, hsm))

    def _write(self, host: str | None, raw: bytearray, hsm: Mapping[str, str]) -> Entry:
        tests = assess(raw, n_autocorrelated=AUTOCORRELATED_BLOCKS)
        if tests.problem is not None:
            raise KickstartError(f"the payload{_of(host)} was not written: {tests.problem}")
        payload_sha256 = hashlib.sha256(raw).hexdigest()
        if payload_sha256 in self._manifest.hashes:
            raise KickstartError(
                f"the payload{_of(host)} was not written: the HSM gave bytes that it gave before"
            )
        with (
            FileGroup(self._folder, replace=self._replace) as group,
            self._contents(host, raw) as contents,
        ):
            for name, content in contents.items():
                group.add(name, content)
            entry: Entry = {
                "host": host,
                "built": datetime.now(UTC).isoformat(timespec="seconds"),
                "hsm": dict(hsm),
                "sources": self._plan.sources,
                "source_names": sources_text(self._plan.sources),
                "payload_bytes": len(raw),
                "payload_sha256": payload_sha256,
                "tests": {"blocks": tests.n_blocks, "failed": tests.n_failed},
                "files": [
                    {
                        "name": name,
                        "bytes": len(content),
                        "sha256": hashlib.sha256(content).hexdigest(),
                    }
                    for name, content in contents.items()
                ],
            }
            group.appear()
            self._manifest.record(entry)
            group.keep()
        return entry

    @contextmanager
    def _contents(self, host: str | None, raw: bytearray) -> Iterator[dict[str, bytearray]]:
        names = self._plan.file_names(host)
        text = bytearray((len(raw) + 2) // 3 * 4)
        with _wiped(text):
            base64_encode_into(raw, text)
            if self._plan.template is None:
                yield dict(zip(names, (raw, text), strict=True))
                return
            whole = self._plan.template.filled(self._plan.sources, text)
            with _wiped(whole):
                yield dict(zip(names, (whole,), strict=True))


@contextmanager
def _wiped(buffer: bytearray) -> Iterator[None]:
    try:
        yield
    finally:
        wipe(buffer)


def _of(host: str | None) -> str:
    return f" of {host}" if host else ""
