"""Everything that can be said of a file with an installation payload before it is used."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.kickstart import base64_text
from bridge.kickstart.assess import Assessment, assess
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.finding import Finding, first_problem
from bridge.kickstart.limits import size_problem
from bridge.kickstart.manifest import NAME as MANIFEST_NAME
from bridge.kickstart.manifest import entries_in
from bridge.kickstart.parse import examine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE_BYTES_MAX = 64 * 2**20  # a kickstart file with the largest payload has 13.4 million


class Kind(StrEnum):
    """What a file is, by the end of its name."""

    RAW = "raw bytes"  # .dat
    TEXT = "Base64 text"  # .b64
    MANIFEST = "manifest"  # of `build`, which whoever names all files of its folder names too
    KICKSTART = "kickstart file"  # any other

    @classmethod
    def of(cls, path: Path) -> Kind:
        """Tell by the name."""
        if path.name == MANIFEST_NAME:
            return cls.MANIFEST
        return {".dat": cls.RAW, ".b64": cls.TEXT}.get(path.suffix.lower(), cls.KICKSTART)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in one file; None where it could not be read so far."""

    path: Path
    kind: Kind
    findings: tuple[Finding, ...]
    sources: int | None = None
    payload_bytes: int | None = None
    payload_sha256: str | None = None
    tests: Assessment | None = None

    @property
    def is_good(self) -> bool:
        """Whether there is nothing but warnings."""
        return first_problem(self.findings) is None


def check_files(paths: Iterable[Path]) -> list[Report]:
    """Check files one by one, and that no two of a kind hold the same payload.

    One that cannot be read keeps nobody from hearing of the others.
    """
    reports: list[Report] = []
    seen: dict[tuple[Kind, str], Path] = {}
    for path in paths:
        try:
            report = check_file(path)
        except KickstartError as error:
            report = Report(path, Kind.of(path), (Finding(0, 0, str(error)),))
        if report.payload_sha256:
            other = seen.setdefault((report.kind, report.payload_sha256), path)
            if other != path:
                text = f"holds the same payload as {other}; each host needs its own"
                report = replace(report, findings=(*report.findings, Finding(0, 0, text)))
        reports.append(report)
    return reports


def check_file(path: Path) -> Report:
    """Check one file; KickstartError if it cannot be read at all."""
    content, mode = _read(path)
    kind = Kind.of(path)
    if kind is Kind.MANIFEST:
        entries_in(content)
        return Report(path, kind, ())
    payload: bytes | None
    sources = None
    match kind:
        case Kind.RAW:
            findings, payload = _size(content), content
        case Kind.TEXT:
            findings, payload = _decoded(content)
        case Kind.KICKSTART:
            examined = examine(content)
            findings, payload = examined.findings, examined.data
            sources = examined.sources
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        text = "others may read this file; chmod 600"
        findings += (Finding(0, 0, text, is_warning=True),)
    if not payload:
        return Report(path, kind, findings, sources)
    tests = assess(payload)
    if tests.problem is not None:
        findings += (Finding(0, 0, tests.problem),)
    if tests.warning is not None:
        findings += (Finding(0, 0, tests.warning, is_warning=True),)
    digest = hashlib.sha256(payload).hexdigest()
    return Report(path, kind, findings, sources, len(payload), digest, tests)


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with open(path, "rb", opener=_open) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KickstartError("is not a plain file")
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise KickstartError(f"cannot be read: {error.strerror}") from None
    if len(content) > _FILE_BYTES_MAX:
        raise KickstartError("is too large for a payload or a kickstart file")
    return content, mode


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would keep it waiting


def _decoded(content: bytes) -> tuple[tuple[Finding, ...], bytes | None]:
    text = content.removesuffix(b"\n").removesuffix(b"\r")
    try:
        payload = base64_text.decode(text)
    except base64_text.Base64Error as error:
        before = text[: error.offset]
        column = error.offset - (before.rfind(b"\n") + 1) + 1
        return (Finding(before.count(b"\n") + 1, column, f"not Base64: {error}"),), None
    return _size(payload), payload


def _size(payload: bytes) -> tuple[Finding, ...]:
    problem = size_problem(len(payload))
    return () if problem is None else (Finding(0, 0, problem),)
