"""The planner for which looks cost nothing: every second it is told what every host holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.feed.planner import Planner

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bridge.feed.decision import Decision, HostKey
    from bridge.feed.hoststate import Reading
    from bridge.feed.policy import Stock
    from tests.support.virtual_fleet import VirtualHost

_TOLD_EVERY_SECONDS = 1.0


class Informed:
    """Tells a planner the levels of all hosts that it is not visiting."""

    def __init__(self, hosts: Sequence[VirtualHost]) -> None:
        self._hosts = hosts
        self._planner = Planner()
        self._visited: set[HostKey] = set()
        self._told_at = -math.inf

    def add_host(self, key: HostKey, now: float) -> None:
        self._planner.add_host(key, now)

    def decide(self, now: float, stock: Stock, open_groups: Collection[str]) -> Decision:
        if now - self._told_at >= _TOLD_EVERY_SECONDS:
            self._told_at = now
            for host in self._hosts:
                if host.key not in self._visited:
                    self._planner.begun(host.key, 0, now)
                    self._planner.observed(host.key, host.visited(now, 0), now)
        return self._planner.decide(now, stock, open_groups)

    def begun(self, key: HostKey, n_bytes: int, now: float) -> None:
        self._visited.add(key)
        self._planner.begun(key, n_bytes, now)

    def observed(self, key: HostKey, reading: Reading, now: float) -> None:
        self._visited.discard(key)
        self._planner.observed(key, reading, now)
