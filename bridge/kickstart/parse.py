"""A kickstart file's entropy, read as an installer would read it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.kickstart.command import Command
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.finding import Finding, first_problem
from bridge.kickstart.lines import split_lines
from bridge.kickstart.surroundings import look_around


@dataclass(frozen=True, slots=True)
class Installation:
    """What a host is installed with."""

    sources: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and the values as far as they could be read."""

    findings: tuple[Finding, ...]
    sources: int | None = None
    data: bytes | None = field(default=None, repr=False)


def examine(content: bytes) -> Examined:
    """Say all that is wrong with a kickstart file as far as entropy is concerned."""
    lines = split_lines(content)
    findings = look_around(lines)
    if len(lines.entropy) != 1:
        return Examined(tuple(findings))
    command = Command(lines.entropy[0])
    findings += command.findings
    findings.sort(key=lambda finding: (finding.line, finding.column))
    return Examined(tuple(findings), command.sources, command.data)


def parse_kickstart(content: bytes) -> Installation:
    """Return sources and entropy; KickstartError names the first thing that is wrong.

    A file without an `entropy` command is wrong, too. The bytes are empty where the sources do
    without them.
    """
    examined = examine(content)
    problem = first_problem(examined.findings)
    if problem is not None:
        raise KickstartError(str(problem))
    return Installation(examined.sources or 0, examined.data or b"")
