"""The bitmask `entropySources`: where a host's kernel takes its entropy from."""

import re

DEFAULT = 0
ENTROPYD = 8
SOURCES_MAX = 15
_BITS = {"interrupts": 1, "rdrand": 2, "rdseed": 4, "entropyd": ENTROPYD}


def parse_sources(text: str) -> int:
    """Read 8, entropyd, interrupts+rdrand or default; ValueError says how to write it."""
    word = text.strip().lower()
    if re.fullmatch("[0-9]{1,9}", word):
        if int(word) > SOURCES_MAX:
            raise ValueError(f"sources go from 0 to {SOURCES_MAX}, not {int(word)}")
        return int(word)
    if word == "default":
        return DEFAULT
    mask = 0
    for name in re.split("[+,]", word):
        bit = _BITS.get(name.strip())
        if bit is None:
            raise ValueError(
                f"{text!r} names no sources: write a number from 0 to {SOURCES_MAX}, "
                f"or {', '.join(_BITS)} joined by +"
            )
        mask |= bit
    return mask


def sources_text(mask: int) -> str:
    """Name the sources of a bitmask: entropyd, interrupts+rdrand, default."""
    return "+".join(name for name, bit in _BITS.items() if mask & bit) or "default"


def has_external(mask: int) -> bool:
    """Whether the host takes entropy from outside."""
    return bool(mask & ENTROPYD)


def sources_warnings(mask: int) -> list[str]:
    """Return what the vendor's guide warns of with these sources."""
    said = f"sources = {mask} ({sources_text(mask)})"
    if mask == ENTROPYD:
        text = (
            "the host has no other entropy than what you feed it; keep feeding it, or it becomes "
            "unresponsive and may need a hard reboot or a new installation"
        )
        return [f"{said}: {text}"]
    if has_external(mask):
        return [f"{said}: for EAL4 only 8 (entropyd alone) will do"]
    return [f"{said} has no entropyd (8): the host uses no external entropy, not even this payload"]
