"""What stands around the `entropy` command, or instead of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.kickstart.finding import Finding
from bridge.kickstart.lines import BOM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.kickstart.lines import Lines

INCLUDES = (b"include", b"%include")
# Longer than any command that stands alone on its line.
_REST = re.compile(rb"[ \t]*([A-Za-z0-9+/]{24,}={0,2}|--(sources|data)\b.*)[ \t]*")


def look_around(lines: Lines) -> list[Finding]:
    """Say what is wrong with the file as a whole and with what surrounds `entropy`."""
    if not lines.is_text or lines.entropy:
        return obstacles(lines)
    return [*_in_order(*_encoding(lines), *_wrong(lines), *_upgrade(lines)), *_missing(lines)]


def obstacles(lines: Lines) -> list[Finding]:
    """Say the same, except that an `entropy` command is missing."""
    if not lines.is_text:
        return [Finding(0, 0, "holds NUL bytes: save it as plain text (UTF-8), not as UTF-16")]
    return _in_order(*_encoding(lines), *_wrong(lines), *_upgrade(lines), *_included(lines))


def _in_order(*findings: Finding) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.line, finding.column))


def _encoding(lines: Lines) -> Iterator[Finding]:
    if lines.commands and lines.commands[0].content.startswith(BOM):
        text = "a byte order mark, which an installer may take for a part of the first word"
        is_fatal = lines.commands[0].word == b"entropy"
        yield Finding(1, 1, text + ("; remove it" if is_fatal else ""), is_warning=not is_fatal)
    for line in lines.entropy:
        if line.content[line.indent : line.column - 1].strip(b" \t"):
            text = "a control character before entropy; indent with spaces, or not at all"
            yield Finding(line.number, 1, text)
    for line in lines.commands:
        if line.ending == b"\r":
            text = "a carriage return without a line feed; end the line with one or both"
            yield Finding(line.number, len(line.content) + 1, text)


def _wrong(lines: Lines) -> Iterator[Finding]:
    for line in lines.commands:
        if line.word.lower() == b"entropy" != line.word:
            text = "write entropy in small letters"
            yield Finding(line.number, line.column, text)
    for line in lines.entropy[1:]:
        text = f"entropy is here again; the first is in line {lines.entropy[0].number}"
        yield Finding(line.number, line.column, text)
    if lines.entropy:
        yield from _rest(lines)


def _included(lines: Lines) -> Iterator[Finding]:
    for line in lines.commands:
        if line.word in INCLUDES:
            text = "what this line includes is not looked at; it must have no entropy of its own"
            yield Finding(line.number, line.column, text, is_warning=True)


def _missing(lines: Lines) -> Iterator[Finding]:
    if any(line.word.lower() == b"entropy" for line in lines.commands):
        return
    for line in lines.sections:
        if line.word == b"entropy" and b"--" in line.content:
            section = lines.sections[0]
            text = f"entropy is a part of a script here; it belongs before line {section.number}"
            yield Finding(line.number, line.column, text)
            return
    for line in lines.commands:
        if line.word in INCLUDES:
            text = "no entropy command here; check the file that this line includes"
            yield Finding(line.number, line.column, text)
            return
    yield Finding(0, 0, "there is no entropy command before the first % section")


def _rest(lines: Lines) -> Iterator[Finding]:
    entropy = lines.entropy[0]
    behind = next((line for line in lines.commands if line.start > entropy.start), None)
    if behind is not None and _REST.fullmatch(behind.content):
        text = "this looks like the rest of the entropy command, which must be one line"
        yield Finding(behind.number, 1, text)


def _upgrade(lines: Lines) -> Iterator[Finding]:
    for line in lines.commands:
        if line.word == b"upgrade":
            text = "an upgrade takes no external entropy; only a new installation does"
            yield Finding(line.number, line.column, text)
        elif line.word == b"installorupgrade":
            text = "where this upgrades, entropy is not used; only a new installation takes it"
            yield Finding(line.number, line.column, text, is_warning=True)
