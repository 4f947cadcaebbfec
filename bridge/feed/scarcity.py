"""Whether bytes are scarce, how long they last, and to what level they can lift those in need.

Finding that takes a pass over the hosts, so it is done anew only now and then; in between it ages,
which moves the size of visits and never their order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.feed.water import common_seconds_to_dry

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.feed.hoststate import Host
    from bridge.feed.policy import Policy, Stock
    from bridge.feed.turns import Group

_RATE_MARGIN = 1.1
_SHARE_OF_TIME_TO_DRY = 1.0 / 16.0
_SHARE_THAT_IS_SOON = 0.5
_INFLOW_SECONDS = (1.0, 60.0)
_LASTS_SECONDS = (0.5, 5.0)
_LASTS_SECONDS_PER_HOST = 6e-4


class Scarcity:
    """What the stock means for the hosts of all groups that take visits."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._find_at = -math.inf
        self._found_for = 0
        self.falls_short = False
        """The HSM adds less than the hosts use, so that each byte counts in the end."""
        self.lasts_until = math.inf
        """Up to here reserve and inflow can keep everybody; who lasts longer needs nothing."""
        self.lifts_until = math.inf
        """To this moment of running dry the bytes at hand lift everybody who wants some."""

    @property
    def plenty(self) -> bool:
        """Say whether everybody who wants bytes can be refilled with those at hand."""
        return self.lifts_until == math.inf

    def lacks_seconds(self, host: Host, now: float) -> float:
        """Return for how much longer a host has to last to last as long as the bytes do.

        Bytes beyond that are taken from those who run dry before it. Who is neither low nor runs
        dry in the first half of that time lacks nothing yet: in the reserve the bytes can still go
        to whoever turns out to need them.
        """
        soon = now + (self.lasts_until - now) * _SHARE_THAT_IS_SOON
        if self.lasts_until < math.inf and host.dry_at > soon and not host.may_be_low_at(now):
            return 0.0
        return self.lasts_until - host.dry_at

    def look(self, now: float, stock: Stock, groups: Collection[Group]) -> None:
        """Find out anew what is older than it may be."""
        waiting, used = 0, 0.0
        for group in groups:
            if group.lives_at(now):
                waiting += len(group.refills)
                used += group.bytes_per_second
        falls_short = stock.rate_bytes_per_second < _RATE_MARGIN * used
        if (
            now < self._find_at
            and waiting <= 2 * self._found_for + 16
            and falls_short is self.falls_short
        ):
            return
        live = [group for group in groups if group.lives_at(now)]
        self.falls_short, self._found_for = falls_short, waiting
        first = self._find_lift(now, stock, live)
        self.lasts_until = self._found_end(now, stock, live) if falls_short else math.inf
        hosts = sum(len(group.members) for group in live) if falls_short else waiting
        shortest, longest = _LASTS_SECONDS
        lasts = min(longest, max(shortest, first * _SHARE_OF_TIME_TO_DRY / 4.0))
        self._find_at = now + max(lasts, hosts * _LASTS_SECONDS_PER_HOST)

    def _find_lift(self, now: float, stock: Stock, live: Collection[Group]) -> float:
        """Find lifts_until; returns in how many seconds the first one runs dry."""
        refill_below = self._policy.refill_below
        needs = [
            host.need_at(now, refill_below) for group in live for host in group.refills.hosts()
        ]
        first = min(needs)[0] if needs else math.inf
        shortest, longest = _INFLOW_SECONDS
        inflow_seconds = min(longest, max(shortest, first * _SHARE_OF_TIME_TO_DRY))
        budget = stock.available_bytes + stock.rate_bytes_per_second * inflow_seconds
        self.lifts_until = now + common_seconds_to_dry(needs, budget)
        return first

    def _found_end(self, now: float, stock: Stock, live: Collection[Group]) -> float:
        needs = [
            (host.dry_at - now if host.dry_at > now else 0.0, math.inf, host.drain.far)
            for group in live
            for host in group.members
            if host.counted_bytes_per_second
        ]
        rate = stock.rate_bytes_per_second
        return now + common_seconds_to_dry(needs, stock.available_bytes, inflow=rate)
