"""Reads the `entropy` command of a kickstart file as an installer would, trusting nobody.

It is written on its own, after the vendor's guide: what builds kickstart files must satisfy it.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.twin.errors import ApiError, invalid_argument
from bridge.twin.readings import PayloadUnits
from bridge.twin.sources import MOST_SOURCES, is_external

PAYLOAD_LIMITS_BYTES = {
    PayloadUnits.DECIMAL: (512_000, 10_000_000),
    PayloadUnits.BINARY: (524_288, 10_485_760),
}
_WORD = re.compile(r"[^ \t]+")
_OPTION = re.compile(r"--(?P<name>[a-z]+)=(?P<value>\S*)")


@dataclass(frozen=True)
class Payload:
    """What a host is installed with; without an entropy command: defaults and no entropy."""

    sources: int
    raw: bytes = field(repr=False)


def read_kickstart(content: bytes, units: PayloadUnits) -> Payload:
    """Return sources and entropy of a kickstart file, or refuse the installation.

    Words are parted by spaces and tabs, lines end with LF or CR LF, and a line that begins with %
    begins a script, which is no business of the installer's.
    """
    # Every byte is a character then; what is not ASCII stands in comments and scripts.
    commands = list(_commands(content.decode("latin-1")))
    found = [(number, words[1:]) for number, words in commands if words[0] == "entropy"]
    if not found:
        return Payload(0, b"")
    for number, words in commands:
        if words[0] == "upgrade":
            raise _refusal(number, "an upgrade takes no external entropy")
    if len(found) > 1:
        raise _refusal(found[1][0], "entropy is there twice")
    number, words = found[0]
    options = _options(number, words)
    sources = _sources(number, options.get("sources"))
    if not is_external(sources):
        return Payload(sources, b"")
    return Payload(sources, _data(number, options.get("data"), units))


def _commands(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        words = _WORD.findall(line.removesuffix("\r"))
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith("%") and words[0] != "%include":
            return
        yield number, words


def _options(number: int, words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in words:
        match = _OPTION.fullmatch(word)
        if match is None or match["name"] not in ("sources", "data"):
            raise _refusal(number, f"{word[:40]} is no option of entropy")
        if match["name"] in options:
            raise _refusal(number, f"--{match['name']} is there twice")
        options[match["name"]] = match["value"]
    return options


def _sources(number: int, value: str | None) -> int:
    if value is None or not re.fullmatch(r"[0-9]|1[0-9]", value) or int(value) > MOST_SOURCES:
        raise _refusal(number, f"--sources must be a number from 0 to {MOST_SOURCES}")
    return int(value)


def _data(number: int, value: str | None, units: PayloadUnits) -> bytes:
    if not value:
        raise _refusal(number, "--data is missing")
    try:
        raw = binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _refusal(number, "--data is not Base64") from None
    if binascii.b2a_base64(raw, newline=False) != value.encode():
        raise _refusal(number, "--data is not canonical Base64")
    low, high = PAYLOAD_LIMITS_BYTES[units]
    if not low <= len(raw) <= high:
        raise _refusal(number, f"--data must encode {low} to {high} bytes, not {len(raw)}")
    return raw


def _refusal(number: int, reason: str) -> ApiError:
    return invalid_argument(f"kickstart line {number}: {reason}")
