"""Which hosts a vCenter has for the bridge, kept in step with the planner's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
        self._away: set[str] = set()  # not connected, by the last inventory

    def take(self, hosts: Sequence[HostSummary], now: float) -> bool:
        """Have these fed and no others from now on; says whether that is a change."""
        names = {host.host: host.name for host in hosts}
        away = {host.host for host in hosts if not host.connected}
        returned = (self._away - away) & names.keys()
        added = names.keys() - self.names.keys()
        removed = self.names.keys() - names.keys()
        for host in sorted(added):
            self._planner.add_host((self._vcenter, host), now)
        self._remove(removed)
        for host in sorted(returned):
            self._planner.returned((self._vcenter, host), now)
        self.names, self._away = names, away
        if added or removed:
            self._log.info("inventory", hosts=len(names), added=len(added), removed=len(removed))
        return bool(added or removed or returned)

    def clear(self) -> None:
        """Have none fed any more."""
        self._remove(self.names)
        self.names = {}

    def _remove(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self._planner.remove_host((self._vcenter, host))
