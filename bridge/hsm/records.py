# SPDX-License-Identifier: Apache-2.0
"""What a module says about itself, as plain records that travel between processes as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """One token; strings as the module gives them, without their padding."""

    label: str
    serial: str
    manufacturer: str
    model: str
    flags: tuple[str, ...]

    @property
    def has_rng(self) -> bool:
        """Whether the token claims a random number generator (CKF_RNG)."""
        return "RNG" in self.flags

    @property
    def initialised(self) -> bool:
        """Whether the token was initialised (CKF_TOKEN_INITIALIZED)."""
        return "TOKEN_INITIALIZED" in self.flags


@dataclass(frozen=True, slots=True)
class SlotInfo:
    """One slot; `token` is None when it is empty, `problem` says why it could not be read."""

    slot_id: int
    description: str
    manufacturer: str
    token: TokenInfo | None = None
    mechanisms: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """A module and its slots; versions are "major.minor"."""

    path: str
    manufacturer: str
    description: str
    cryptoki_version: str
    library_version: str
    slots: tuple[SlotInfo, ...]

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ModuleInfo:
        """Rebuild the record from `as_json`, as it comes back from JSON."""
        slots = tuple(_slot_from_json(slot) for slot in record["slots"])
        return cls(**{**record, "slots": slots})


def _slot_from_json(record: dict[str, Any]) -> SlotInfo:
    token = record["token"]
    if token is not None:
        token = TokenInfo(**{**token, "flags": tuple(token["flags"])})
    return SlotInfo(**{**record, "token": token, "mechanisms": tuple(record["mechanisms"])})
