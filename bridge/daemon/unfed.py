"""Says in the log when hosts cannot be fed, and when they can again.

One line for all hosts of a vCenter that have the same reason: a cluster that loses its power is no
reason for a line per host and look. It names one of them, the first to run dry, to begin with.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from bridge.feed.hoststate import HostState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import structlog

    from bridge.feed.decision import HostKey
    from bridge.feed.outlook import HostOutlook

QUIET_SECONDS = 60.0  # between two lines about a number that goes up and down


class Unfed:
    """Counts them; `look` is called every few seconds.

    The first line about a reason waits for the second look, when all hosts were asked; the next
    ones are QUIET_SECONDS apart.
    """

    def __init__(
        self, log: structlog.stdlib.BoundLogger, name_of: Callable[[HostKey], str]
    ) -> None:
        self._log = log
        self._name_of = name_of
        self._seen: Counter[tuple[str, str]] = Counter()
        self._told: dict[tuple[str, str], tuple[int, float]] = {}

    def look(self, hosts: Iterable[HostOutlook], now: float) -> None:
        """Log what has changed; `now` is any clock's that does not go back."""
        before = self._seen
        absent = sorted((host for host in hosts if host.state is HostState.ABSENT), key=_life)
        self._seen = Counter((host.key[0], host.reason) for host in absent)
        first = {(host.key[0], host.reason): host.key for host in reversed(absent)}
        for key in sorted(self._seen.keys() | self._told.keys()):
            n_hosts = self._seen[key]
            n_told, told_at = self._told.get(key, (0, float("-inf")))
            is_settled = n_told or before[key]
            if n_hosts != n_told and is_settled and now - told_at >= QUIET_SECONDS:
                self._told[key] = n_hosts, now
                self._tell(*key, n_hosts, first.get(key))

    def _tell(self, vcenter: str, reason: str, n_hosts: int, first: HostKey | None) -> None:
        if first is None:
            self._log.info("hosts are fed again", vcenter=vcenter, reason=reason)
            return
        self._log.warning(
            "hosts are not fed",
            vcenter=vcenter,
            hosts=n_hosts,
            first=self._name_of(first),
            reason=reason,
        )


def _life(host: HostOutlook) -> float:
    return math.inf if host.seconds_to_dry is None else host.seconds_to_dry
