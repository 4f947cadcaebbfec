# SPDX-License-Identifier: Apache-2.0
"""What a source process is told: one line of JSON on its stdin, without secrets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

PUBLISH_AFTER_MS = 200


@dataclass(frozen=True, slots=True)
class Order:
    """Which token to read and where to put its bytes; descriptors are the child's own."""

    parent_pid: int
    module: str
    init_args: str | None
    token_label: str | None
    serial: str | None
    slot: int | None
    pin_path: str | None
    ring_fd: int
    n_slots: int
    n_readers: int
    data_eventfd: int
    space_eventfds: tuple[int, ...]
    call_bytes: int
    publish_after_ms: int
    allow_unlocked: bool

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the child inherits besides its standard streams."""
        return (self.ring_fd, self.data_eventfd, *self.space_eventfds)

    def line(self) -> bytes:
        """Give the line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Read the line; ValueError or TypeError when it is not one."""
        record: dict[str, Any] = json.loads(line)
        return cls(**{**record, "space_eventfds": tuple(record["space_eventfds"])})
