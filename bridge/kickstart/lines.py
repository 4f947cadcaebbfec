"""A kickstart file as lines: commands first, then sections that begin with %.

Works on bytes, so that whatever is not touched stays as it is. Lines end with LF or CR LF; what an
installer makes of a CR alone is anybody's guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

BOM = b"\xef\xbb\xbf"
_NO_SECTIONS = (b"%include",)  # a command that looks like a section
_FIRST_WORD = re.compile(rb"\s*([^\s#]\S*)?")


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `start` is its offset in the file; `indent` is where its words may begin."""

    number: int
    start: int
    content: bytes = field(repr=False)
    ending: bytes
    indent: int = 0

    @property
    def word(self) -> bytes:
        """The first word; empty for a blank line and for a comment."""
        match = _FIRST_WORD.match(self.content, self.indent)
        return (match and match[1]) or b""

    @property
    def column(self) -> int:
        """The column of the first word, from 1."""
        match = _FIRST_WORD.match(self.content, self.indent)
        return match.start(1) + 1 if match and match[1] else 1

    @property
    def begins_section(self) -> bool:
        """Whether a script follows, which is not read as commands."""
        return self.word.startswith(b"%") and self.word.lower() not in _NO_SECTIONS


@dataclass(frozen=True, slots=True)
class Lines:
    """All lines, in their order."""

    commands: tuple[Line, ...]  # blank lines and comments among them
    entropy: tuple[Line, ...]  # those of them that are `entropy`
    sections: tuple[Line, ...]  # from the first line that begins one to the end
    is_text: bool = True  # in an encoding that extends ASCII


def split_lines(data: bytes) -> Lines:
    """Split a file. A byte order mark belongs to no word, but to the first line."""
    commands: list[Line] = []
    sections: list[Line] = []
    start = 0
    for number, whole in enumerate(data.splitlines(keepends=True), 1):
        content = whole.rstrip(b"\r\n")
        indent = len(BOM) if start == 0 and content.startswith(BOM) else 0
        line = Line(number, start, content, whole[len(content) :], indent)
        (sections if sections or line.begins_section else commands).append(line)
        start += len(whole)
    entropy = tuple(line for line in commands if line.word == b"entropy")
    return Lines(tuple(commands), entropy, tuple(sections), is_text=b"\0" not in data)
