"""What is to be built, and what its files are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.kickstart.template import Template


@dataclass(frozen=True, slots=True)
class Plan:
    """A payload for each host. None instead of a name is one for whatever host it will be."""

    n_bytes: int
    sources: int
    hosts: tuple[str | None, ...]
    template: Template | None = None

    def file_names(self, host: str | None) -> tuple[str, ...]:
        """Return the names of a host's files."""
        if self.template is not None:
            return (f"{host or 'ks'}.cfg",)
        stem = host or "entropy_data"
        return (f"{stem}.dat", f"{stem}.b64")

    def all_file_names(self) -> Iterator[str]:
        """Give the names of all files."""
        for host in self.hosts:
            yield from self.file_names(host)

    @property
    def payload_bytes(self) -> int:
        """How many bytes all payloads have."""
        return len(self.hosts) * self.n_bytes

    @property
    def file_bytes(self) -> int:
        """How much all files take."""
        text_bytes = (self.n_bytes + 2) // 3 * 4
        if self.template is None:
            return len(self.hosts) * (self.n_bytes + text_bytes)
        around = len(self.template.before) + len(self.template.after)
        return len(self.hosts) * (around + text_bytes)
