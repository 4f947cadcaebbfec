"""A kickstart file around its one `entropy` command, which is added or replaced.

Everything else stays byte for byte: line ends, a missing last one, encodings, sections.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.kickstart.errors import KickstartError
from bridge.kickstart.finding import Finding, first_problem
from bridge.kickstart.lines import BOM, split_lines
from bridge.kickstart.surroundings import INCLUDES, obstacles

if TYPE_CHECKING:
    from bridge.kickstart.lines import Lines

_INSTALLS = (b"install", b"installorupgrade")
_CRYPTED = re.compile(r"\$[0-9a-z]{1,6}\$[!-~]{8,200}")

_MINIMAL = """\
vmaccepteula
rootpw --iscrypted {root_hash}
install --firstdisk
network --bootproto=dhcp
reboot
"""


@dataclass(frozen=True, slots=True)
class Template:
    """What stands before the command and behind it; `warnings` are about the file it came from."""

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    warnings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, content: bytes) -> Template:
        """Make a template of a kickstart file; KickstartError says what is wrong with it, where."""
        lines = split_lines(content)
        findings = obstacles(lines)
        problem = first_problem(findings)
        if problem is not None:
            raise KickstartError(str(problem))
        if not any(line.word in (*_INSTALLS, *INCLUDES) for line in lines.commands):
            text = "nothing here installs ESXi (install, installorupgrade): is it a kickstart file?"
            findings = [*findings, Finding(0, 0, text, is_warning=True)]
        start, stop, newline = _gap(lines)
        before, after = content[:start], content[stop:]
        if before == BOM:
            raise KickstartError(
                "begins with a byte order mark, which an installer may take for a part of entropy; "
                "save the file without it"
            )
        if newline and stop == len(content) and not before.endswith(b"\n"):
            return cls(before + newline, after, tuple(findings))
        return cls(before, newline + after, tuple(findings))

    @classmethod
    def minimal(cls, root_hash: str) -> Template:
        """Make our own: the first disk unless it holds a datastore, DHCP, a root password's hash.

        The hash is of the kind that `openssl passwd -6` prints.
        """
        if _CRYPTED.fullmatch(root_hash) is None:
            raise KickstartError('holds no password hash; make one with "openssl passwd -6"')
        return cls.of(_MINIMAL.format(root_hash=root_hash).encode())

    def filled(self, sources: int, text: bytearray) -> bytearray:
        """Return the kickstart file with a payload, of which `text` is the Base64."""
        command = b"entropy --sources=%d --data=" % sources
        parts = (self.before, command, text, self.after)
        # Its full length at once, for growing it would leave copies of the entropy behind.
        whole = bytearray(sum(map(len, parts)))
        at = 0
        for part in parts:
            whole[at : at + len(part)] = part
            at += len(part)
        return whole


def _gap(lines: Lines) -> tuple[int, int, bytes]:
    """Return where the command goes: start, stop, and the line end that has to be added."""
    if lines.entropy:
        line = lines.entropy[0]
        return line.start + line.indent, line.start + len(line.content), b""
    commands = [line for line in lines.commands if line.word]
    if not commands:
        raise KickstartError("holds no command; it is no kickstart file")
    newline = lines.commands[0].ending or b"\n"
    for line in commands:
        if line.word in _INSTALLS:
            return line.start + line.indent, line.start + line.indent, newline
    last = commands[-1]
    end = last.start + len(last.content) + len(last.ending)
    return end, end, newline
