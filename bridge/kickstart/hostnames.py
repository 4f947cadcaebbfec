"""The hosts that payloads are for; their names become file names."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from bridge.kickstart.errors import KickstartError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")
_LIST_BYTES_MAX = 4 * 2**20


def listed_hosts(text: str) -> list[str]:
    """Read a,b,c."""
    return _checked((name.strip(), "") for name in text.split(","))


def hosts_in(path: Path) -> list[str]:
    """Read a file with one name in each line; # begins a comment."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIST_BYTES_MAX)
        text = content.removeprefix(codecs.BOM_UTF8).decode("ascii")
    except OSError as error:
        raise KickstartError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KickstartError(f"{path} is not a text of host names; use plain ASCII") from None
    hosts = _checked(
        (name, f"{path}:{number}: ")
        for number, line in enumerate(text.splitlines(), 1)
        if (name := line.partition("#")[0].strip())
    )
    if not hosts:
        raise KickstartError(f"{path} names no host; write one in each line")
    return hosts


def _checked(names: Iterable[tuple[str, str]]) -> list[str]:
    return list(_each_checked(names))


def _each_checked(names: Iterable[tuple[str, str]]) -> Iterator[str]:
    seen: set[str] = set()
    for name, place in names:
        if _NAME.fullmatch(name) is None:
            raise KickstartError(
                f"{place}{name[:80]!r} is not a host name; use letters, digits, dots and hyphens"
            )
        # The same name in DNS, and on some file systems the same file.
        if name.lower() in seen:
            raise KickstartError(f"{place}{name} is named twice")
        seen.add(name.lower())
        yield name
