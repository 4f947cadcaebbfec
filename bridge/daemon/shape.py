"""What the planner has to know of all sources together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.source.supervisor import Source


class Shape:
    """Capacity and rate over all sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def capacity_bytes(self) -> int:
        """Raw bytes that all rings hold when they are full."""
        return sum(source.capacity_bytes for source in self._sources)

    def most_bytes(self) -> int:
        """Raw bytes that can be had at once: what a cap lets through, or a ring holds."""
        running = [source for source in self._sources if source.is_running]
        return sum(source.most_bytes for source in running or self._sources)

    def rate_bytes_per_second(self) -> float:
        """Raw bytes that all sources add while there is space; one that is down adds nothing."""
        return sum(source.bytes_per_second for source in self._sources if source.is_running)
