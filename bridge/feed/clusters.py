"""What the clusters of a vCenter's hosts are called: only to group by, nothing waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.vcenter.errors import VCenterError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bridge.config import HostFilter
    from bridge.vcenter.client import VCenter

_FRESH_SECONDS = 600.0  # hosts seldom move, and it takes a request for each cluster


class Clusters:
    """Cluster names by host id, of one vCenter.

    `at_once` is how many requests may be under way; those are beside the ones that feed.
    """

    def __init__(
        self, client: VCenter, *, clock: Callable[[], float], at_once: int | None = None
    ) -> None:
        self.names: Mapping[str, str] = {}
        self._client = client
        self._clock = clock
        self._at_once = at_once
        self._asked: frozenset[str] = frozenset()
        self._asked_at = float("-inf")

    async def refresh(self, hosts: Collection[str], wanted: HostFilter) -> None:
        """Ask again if there are other hosts than before, or some time has passed.

        When asking fails, what was known stays, and the next call asks again. A user who may not
        see clusters does without.
        """
        now, there = self._clock(), frozenset(hosts)
        if there == self._asked and now - self._asked_at < _FRESH_SECONDS:
            return
        try:
            self.names = await self._client.clusters(wanted, self._at_once)
        except VCenterError:
            return
        self._asked, self._asked_at = there, now
