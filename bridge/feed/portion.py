"""How many bytes a visit brings: all that fits while there is plenty, a fair share otherwise.

When bytes are scarce a visit lifts its host to the time to dry that can be had for all, and who
lasts as long as the bytes do gets none. While several hosts are below their watermark, none is
lifted far above it; if it is requests that are scarce, by what it uses up to its next one. Nothing
of this holds back an HSM that would have to stand still.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from bridge.feed.policy import GROUP_BYTES, Stock
from bridge.feed.scarcity import Scarcity
from bridge.feed.standstill import Standstill

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.feed.hoststate import Host
    from bridge.feed.policy import Policy
    from bridge.feed.turns import Group

_SHARE_OF_TIME_TO_DRY = 1.0 / 16.0
_PATIENCE_SECONDS = (0.1, 5.0)
_SCRAPS_SECONDS = 5.0


class Size(NamedTuple):
    """The bytes of a visit; 0 when the stock has too few, and then when it should have enough."""

    n_bytes: int
    enough_at: float = math.inf


class Portion:
    """Sizes visits by what is known of the stock since the last `look`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._last_scarcity = Scarcity(policy)
        self._looked = True
        self._stock = Stock(0, 0)
        self._nearly_full = False
        self._standstill = Standstill()
        self._groups: Collection[Group] = ()
        self._now = 0.0

    def look(
        self, now: float, stock: Stock, in_flight_bytes: int, groups: Collection[Group]
    ) -> None:
        """Take in the moment that the next answers are for."""
        self._now, self._stock, self._groups = now, stock, groups
        self._nearly_full = stock.nearly_full(in_flight_bytes)
        self._standstill.look(now, stock)
        self._looked = False

    @property
    def wants_small_rooms(self) -> bool:
        """Say whether bytes should go also to those who hardly want any."""
        return self._nearly_full and self._scarcity.falls_short

    def spares_out_of_turn(self, host: Host) -> bool:
        """Say whether a host may get bytes before those who need them more."""
        return not self._scarcity.falls_short and self._plenty_for(host)

    def _plenty_for(self, host: Host) -> bool:
        return self._nearly_full or self._scarcity.plenty or self._requests_are_scarce_at(host)

    def _requests_are_scarce_at(self, host: Host) -> bool:
        """Say whether its group has bytes for everybody, and too few visits to bring them."""
        return self._standstill.mostly and not host.group.capped and not self._scarcity.falls_short

    @property
    def _scarcity(self) -> Scarcity:
        """What the stock means now; nothing is found out while nobody asks."""
        if not self._looked:
            self._last_scarcity.look(self._now, self._stock, self._groups)
            self._looked = True
        return self._last_scarcity

    def worth_feeding(self, host: Host, now: float) -> bool:
        """Say whether the host is known to have room for which a request is worth its while."""
        reading = host.reading
        if reading is None:
            return False
        return host.room_at(now) >= self._policy.least_worth_bytes(reading.capacity_bytes)

    def size(self, host: Host) -> Size:
        """Size this host's visit; never over its room nor over what it may be brought at once."""
        now, reading = self._now, host.reading
        room = min(host.room_at(now), host.most_bytes)
        if reading is None or room < GROUP_BYTES:
            return Size(0)
        least = min(
            room, self._policy.min_feed_bytes, max(GROUP_BYTES, self._stock.most_bytes // 4)
        )
        to_dry = max(0.0, host.dry_at - now)
        wanted = float(room)
        if not self._nearly_full:
            lacks = self._scarcity.lacks_seconds(host, now)
            if lacks <= 0.0:
                return Size(0)
            wanted = min(wanted, lacks * host.drain.far)
        if not self._plenty_for(host):
            lift = self._scarcity.lifts_until - now - to_dry
            if lift <= 0.0:
                lift = to_dry * _SHARE_OF_TIME_TO_DRY
            wanted = min(wanted, lift * host.drain.far)
        level = host.level_at(now)
        if level < reading.low_watermark_bytes and self._others_are_low(host):
            above = reading.low_watermark_bytes + reading.capacity_bytes / 64
            if self._requests_are_scarce_at(host):  # its next one may be as long in coming
                above += (now - host.read_at) * host.drain.far
            wanted = min(wanted, above - level)
        return self._from_stock(max(least, int(wanted)), least, to_dry)

    def _from_stock(self, wanted: int, least: int, to_dry: float) -> Size:
        now, stock = self._now, self._stock
        there = stock.available_bytes
        enough = min(wanted, max(least, min(stock.capacity_bytes, stock.most_bytes) // 4))
        rate = stock.rate_bytes_per_second
        wait = (enough - there) / rate if rate > 0.0 else math.inf
        shortest, longest = _PATIENCE_SECONDS
        patience = min(longest, max(shortest, to_dry * _SHARE_OF_TIME_TO_DRY))
        n_bytes = min(wanted, there)
        n_bytes -= n_bytes % GROUP_BYTES
        if there < min(enough, least):
            patience = max(_SCRAPS_SECONDS, to_dry)
        ready = there >= enough or wait > patience or (self._nearly_full and there >= least)
        if ready and n_bytes >= GROUP_BYTES:
            return Size(n_bytes)
        return Size(0, now + max(0.0, wait))

    def _others_are_low(self, host: Host) -> bool:
        low = 0
        for group in self._groups:
            low += group.low
        return low > host.low
