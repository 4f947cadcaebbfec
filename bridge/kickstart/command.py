"""The words of one `entropy` command.

The vendor documents two options in one form, --NAME=VALUE, in any order. Whatever else an installer
might swallow is called wrong here, for nobody finds out before the installation. No finding quotes
what could be entropy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bridge.kickstart import base64_text
from bridge.kickstart.finding import Finding
from bridge.kickstart.limits import size_problem
from bridge.kickstart.sources import SOURCES_MAX, has_external, sources_warnings

if TYPE_CHECKING:
    from bridge.kickstart.lines import Line

_WORD = re.compile(rb"[^ \t]+")
_NUMBER = re.compile(rb"[0-9]|1[0-5]")
_OPTION = re.compile(rb"-{1,2}[A-Za-z][A-Za-z_-]{0,19}")  # Base64 has no hyphen
_KNOWN = (b"--sources", b"--data")


@dataclass(frozen=True, slots=True)
class _Word:
    offset: int  # in the line, from 0
    text: bytes = field(repr=False)


class Command:
    """What the command says, as far as it can be read, and what is wrong with it."""

    def __init__(self, line: Line) -> None:
        self.findings: list[Finding] = []
        self.sources: int | None = None
        self.data: bytes | None = None
        self._line = line
        self._values: dict[bytes, _Word] = {}
        self._read_words()
        self._read_sources()
        self._read_data()

    def _wrong(self, offset: int, text: str, *, is_warning: bool = False) -> None:
        self.findings.append(Finding(self._line.number, offset + 1, text, is_warning))

    def _read_words(self) -> None:
        matches = _WORD.finditer(self._line.content, self._line.indent)
        words = [_Word(match.start(), match[0]) for match in matches][1:]
        while words:
            word = words.pop(0)
            name, equals, text = word.text.partition(b"=")
            if name not in _KNOWN:
                self._wrong(word.offset, _unknown(name, equals))
                continue
            if name in self._values:
                self._wrong(word.offset, f"{name.decode()} is here twice; keep one")
            value = _Word(word.offset + len(name) + 1, text)
            if not equals:
                self._wrong(word.offset, f"write {name.decode()}=…; no other form is documented")
                value = words.pop(0) if words and not words[0].text.startswith(b"-") else value
            self._values.setdefault(name, value)

    def _read_sources(self) -> None:
        value = self._values.get(b"--sources")
        if value is None:
            self._wrong(self._line.column - 1, "--sources is missing; write --sources=8 for EAL4")
        elif _NUMBER.fullmatch(value.text) is None:
            self._wrong(
                value.offset,
                f"--sources must be a number from 0 to {SOURCES_MAX}, without leading zeros",
            )
        else:
            self.sources = int(value.text)
            for text in sources_warnings(self.sources):
                self._wrong(value.offset, text, is_warning=True)

    def _read_data(self) -> None:
        value = self._values.get(b"--data")
        if value is None or not value.text:
            if value is not None or self.sources is None or has_external(self.sources):
                at = self._line.column - 1 if value is None else value.offset
                self._wrong(at, "--data is missing: the host would boot without entropy")
            return
        try:
            self.data = base64_text.decode(value.text)
        except base64_text.Base64Error as error:
            self._wrong(value.offset + error.offset, f"--data is not Base64: {error}")
            return
        if problem := size_problem(len(self.data)):
            self._wrong(value.offset, f"--data: {problem}")


def _unknown(name: bytes, equals: bytes) -> str:
    word = name.decode("ascii", "replace")
    if _OPTION.fullmatch(name):
        close = get_close_matches(word, [known.decode() for known in _KNOWN], n=1)
        hint = f"; did you mean {close[0]}?" if close else "; it has --sources and --data"
        return f"entropy has no option {word}{hint}"
    if equals and b"--" + name in _KNOWN:
        return f"write --{word}=…"
    return "a word that is no option; --data takes one word without white space"
