"""What the planner answers."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

HostKey: TypeAlias = tuple[str, str]
"""A host: the name of its vCenter in the configuration, and its id there."""


class Look(NamedTuple):
    """Read this host's pool."""

    key: HostKey


class Feed(NamedTuple):
    """Send this host n_bytes raw bytes, a multiple of 3; its answer is a reading too."""

    key: HostKey
    n_bytes: int


class Idle(NamedTuple):
    """Nothing to do before `until` (None: before something changes)."""

    until: float | None


Decision: TypeAlias = Look | Feed | Idle
