"""Which hosts a vCenter has for the bridge, kept in step with the planner's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import structlog

    from bridge.feed.planner import Planner
    from bridge.vcenter.types import HostSummary


class Roster:
    """The hosts of one vCenter: `names` by their ids."""

    def __init__(self, vcenter: str, planner: Planner, log: structlog.stdlib.BoundLogger) -> None:
        self.names: dict[str, str] = {}
        self._vcenter = vcenter
        self._planner = planner
        self._log = log

    def take(self, hosts: Iterable[HostSummary], now: float) -> bool:
        """Have these fed and no others from now on; says whether that is a change."""
        names = {host.host: host.name for host in hosts}
        added = names.keys() - self.names.keys()
        removed = self.names.keys() - names.keys()
        for host in sorted(added):
            self._planner.add_host((self._vcenter, host), now)
        self._remove(removed)
        self.names = names
        if added or removed:
            self._log.info("inventory", hosts=len(names), added=len(added), removed=len(removed))
        return bool(added or removed)

    def clear(self) -> None:
        """Have none fed any more."""
        self._remove(self.names)
        self.names = {}

    def _remove(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self._planner.remove_host((self._vcenter, host))
