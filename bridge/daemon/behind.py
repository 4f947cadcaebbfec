"""Tells that looks at a vCenter's hosts are late for want of requests in flight, and not by chance.

Looks in the order of their deadlines are late for many hosts or for none: who is late alone had
his look lost, and a look that is late by a part of a short timeout harms nobody.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bridge.feed.hoststate import HostState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.feed.outlook import HostOutlook

_LATE_SHARE = 0.25  # of the third of its timeout within which a host is to be looked at
_HOSTS_SHARE = 0.05
_TIMES = 3


class Behind:
    """Counts such hosts; `look` is called every few seconds, for vCenters that can be used."""

    def __init__(self) -> None:
        self._late: Counter[str] = Counter()
        self._times: Counter[str] = Counter()

    def look(self, hosts: Iterable[HostOutlook]) -> None:
        """Take note of how late looks are now."""
        known: Counter[str] = Counter()
        self._late = Counter()
        for host in hosts:
            if host.state is not HostState.ABSENT:
                known[host.key[0]] += 1
                self._late[host.key[0]] += host.late_share > _LATE_SHARE
        self._times = Counter(
            {
                vcenter: self._times[vcenter] + 1
                for vcenter, n_late in self._late.items()
                if n_late > _HOSTS_SHARE * known[vcenter]
            }
        )

    def warnings(self) -> Iterator[str]:
        """Yield a line for each vCenter where that was so at several looks in a row."""
        for vcenter in sorted(self._times):
            if self._times[vcenter] >= _TIMES:
                yield (
                    f"{vcenter}: {self._late[vcenter]} hosts are looked at later than a third of "
                    "their timeout: raise max_in_flight, or give this bridge fewer hosts"
                )
