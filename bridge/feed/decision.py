"""What the planner answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

HostKey: TypeAlias = tuple[str, str]
"""A host: the name of its vCenter in the configuration, and its id there."""


@dataclass(frozen=True, slots=True)
class Look:
    """Read this host's pool."""

    key: HostKey


@dataclass(frozen=True, slots=True)
class Feed:
    """Send this host n_bytes raw bytes, a multiple of 3; its answer is a reading too."""

    key: HostKey
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before `until` (None: before something changes)."""

    until: float | None


Decision: TypeAlias = Look | Feed | Idle
