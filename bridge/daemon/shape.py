"""What the planner has to know of all sources together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.source.supervisor import Source


class Shape:
    """Capacity and rate over all sources.

    A source that is down adds nothing to what it has left, so that counts as it is: space in its
    ring would make the others seem to have some, and they would be let stand still when full.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def capacity_bytes(self) -> int:
        """Raw bytes that all rings hold when all that run have filled theirs."""
        return self._sum(lambda source: source.capacity_bytes)

    def most_bytes(self) -> int:
        """Raw bytes that can be had at once: what a cap lets through, or a ring holds."""
        return self._sum(lambda source: source.most_bytes)

    def rate_bytes_per_second(self) -> float:
        """Raw bytes that all sources add while there is space; one that is down adds nothing."""
        return sum(source.bytes_per_second for source in self._sources if source.is_running)

    def _sum(self, full: Callable[[Source], int]) -> int:
        """Add up what those that run hold when full, and what the others have left."""
        if not any(source.is_running for source in self._sources):
            return sum(map(full, self._sources))
        return sum(
            full(source) if source.is_running else source.supply.available_bytes
            for source in self._sources
        )
