"""The bitmask entropySources: where a host's kernel takes its entropy from."""

from bridge.twin.readings import Mixing

INTERRUPTS = 1
RDRAND = 2
RDSEED = 4
ENTROPYD = 8
EXTERNAL_ONLY = ENTROPYD
MOST_SOURCES = 15
INTERNAL = INTERRUPTS | RDRAND | RDSEED


def effective(sources: int) -> int:
    """Return the sources that 0, the default, stands for: all but entropyd, on a CPU of today."""
    return sources or INTERNAL


def is_external(sources: int) -> bool:
    """Return whether the host takes entropy from outside."""
    return bool(effective(sources) & ENTROPYD)


def external_share(sources: int, mixing: Mixing) -> float:
    """Return the fraction of the demand that the external source carries."""
    mask = effective(sources)
    if not mask & ENTROPYD:
        return 0.0
    return 1.0 if mixing is Mixing.ALL else 1 / mask.bit_count()
