"""Who may get bytes that would else lie idle: hosts that were left with room a moment ago.

A visit brings what the reading before it left room for, so that between two visits a host would
never be full. While the HSM stands still, its answer is followed by a second request, so that an
outage finds hosts full; a number per second bounds what that asks of vCenters. Only fresh readings
count: by an older one a host may be brought what somebody else has brought already.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from bridge.feed.policy import GROUP_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.feed.hoststate import Host
    from bridge.feed.turns import Group

_LEAST_SHARE = 1.0 / 128.0


class TopUps:
    """Hosts in the order of their readings, and the moment at which one may get bytes."""

    def __init__(self) -> None:
        self.next_at = -math.inf
        self._hosts: deque[tuple[Host, float]] = deque()

    def read(self, host: Host, now: float) -> None:
        """Note that a visit ended with a reading; who was topped up just now waits for the next."""
        while self._hosts and not self._stands(*self._hosts[0], now):
            self._hosts.popleft()
        if host.top_up_at <= now and not host.topped_up and _worth(host, host.room_at(now)):
            self._hosts.append((host, now))

    def first(self, now: float, free: Collection[Group]) -> Host | None:
        """Return who is next in these groups, and stays so until the visit begins."""
        while self._hosts:
            host, read_at = self._hosts[0]
            if host.group in free and self._stands(host, read_at, now):
                return host
            self._hosts.popleft()
        return None

    def size(self, host: Host, now: float, available_bytes: int) -> int:
        """Size the visit; 0 if it is not worth a request."""
        n_bytes = min(host.room_at(now), host.most_bytes, available_bytes)
        return n_bytes - n_bytes % GROUP_BYTES if _worth(host, n_bytes) else 0

    def begun(self, host: Host, n_bytes: int, now: float, per_second: float) -> None:
        """Note that a visit begins, and let the next one wait if it was one of these."""
        host.topped_up = bool(n_bytes and self._hosts and self._hosts[0] == (host, host.read_at))
        if host.topped_up:
            self._hosts.popleft()
            self.next_at = now + 1.0 / per_second

    @staticmethod
    def _stands(host: Host, read_at: float, now: float) -> bool:
        """Say whether nothing has happened to the host since it was put here."""
        return (
            host.read_at == read_at
            and host.visit_bytes is None
            and host.not_before <= now
            and host.fresh_at(now)
            and host in host.group.members
        )


def _worth(host: Host, n_bytes: int) -> bool:
    reading = host.reading
    return reading is not None and n_bytes >= max(
        GROUP_BYTES, reading.capacity_bytes * _LEAST_SHARE
    )
