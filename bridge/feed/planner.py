"""The planner: who is next, how many bytes, and when to look again.

Pure: it does no I/O and has no clock and no randomness. The caller asks `decide` until it answers
`Idle`, reports every visit with `begun` and with exactly one of `observed`, `absent`, `uncertain`
and `released`, and gives the time in seconds of a clock that never goes back. A host has one visit
at a time. Not thread-safe.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.feed.decision import Decision, Feed, HostKey, Idle, Look
from bridge.feed.hoststate import Host, HostState, Reading
from bridge.feed.outlook import HostOutlook, Lateness, lateness_of, outlook_of
from bridge.feed.policy import GROUP_BYTES, Policy, Stock
from bridge.feed.portion import Portion
from bridge.feed.topups import TopUps
from bridge.feed.turns import Group, first

if TYPE_CHECKING:
    from collections.abc import Collection

_RELEASED_SECONDS = 1.0
_RELEASED_SECONDS_MOST = 30.0
_ABSENT_SECONDS = 1.0  # one 503 may have been chance, and the host may be nearly dry
_ABSENT_SECONDS_MOST = 60.0
_UNCERTAIN_SECONDS_MOST = 30.0
_SHARE_OF_FREE = 2.0  # a group among others may hold this many times what nobody holds


class Planner:
    """Decides over one fleet, which may belong to several vCenters (groups)."""

    def __init__(self, policy: Policy | None = None, *, phase: float = 0.0) -> None:
        """Go by this policy; planners of another phase, from 0 to 1, look at other moments."""
        self._policy = policy or Policy()
        self._phase = phase
        self._portion = Portion(self._policy)
        self._hosts: dict[HostKey, Host] = {}
        self._groups: dict[str, Group] = {}
        self._serials = 0
        self._in_flight_bytes = 0
        self._fed_last = False
        self._top_ups = TopUps()

    def __len__(self) -> int:
        return sum(not host.leaving for host in self._hosts.values())

    def obey(self, policy: Policy, now: float) -> None:
        """Go by other rules from now on; visits under way end as they began."""
        if policy == self._policy:
            return
        self._policy = policy
        self._portion = Portion(policy)
        for host in self._hosts.values():
            if host.visit_bytes is None:
                if host.state is HostState.READ:
                    host.schedule(host.read_at, policy)
                host.group.unsort(host)
                self._sort(host, now)

    def limit(self, group: str, max_add_bytes: int) -> None:
        """Set the most that one request to this group carries, at least 3 bytes."""
        self._group(group).max_add_bytes = max(GROUP_BYTES, max_add_bytes)

    def cap(self, group: str, max_bytes_per_second: int | None) -> None:
        """Know what this group gets at most, which the caller sees to; None: all there is."""
        self._group(group).capped = max_bytes_per_second is not None

    def places(self, group: str, n: int) -> None:
        """Know how many visits this group takes at once: few of them go to hosts that may hang."""
        self._group(group).places = n

    def doubt(self, group: str, now: float) -> None:
        """Send this group no bytes before it has answered a look: they would be lost."""
        self._group(group).doubted_since = now

    def add_host(self, key: HostKey, now: float) -> None:
        """Take a host in, to be looked at at once; one that is there already stays as it is."""
        host = self._hosts.get(key)
        if host is None:
            self._serials += 1
            group = self._group(key[0])
            host = Host(key, group, self._serials, contact_at=now, phase=self._phase)
            host.dry_at = host.look_at = now
            host.look_by = now + self._policy.imminent_seconds
            self._hosts[key] = host
            host.group.members.add(host)
        elif not host.leaving:
            return
        host.leaving = False
        self._sort(host, now)

    def returned(self, key: HostKey, now: float) -> None:
        """Note that a host is said to be connected again: look at it at once if it was absent."""
        host = self._hosts.get(key)
        if host is None or host.visit_bytes is not None or host.state is not HostState.ABSENT:
            return
        host.setbacks = 0
        host.look_at, host.look_by = now, now + self._policy.imminent_seconds
        host.group.unsort(host)
        self._sort(host, now)

    def remove_host(self, key: HostKey) -> None:
        """Forget a host; the end of a visit under way may still be reported."""
        host = self._hosts.get(key)
        if host is None:
            return
        host.group.unsort(host)
        host.group.count_drain(host, 0.0, 0.0)
        if host.visit_bytes is None:
            self._forget(host)
        else:
            host.leaving = True

    def decide(self, now: float, stock: Stock, open_groups: Collection[str]) -> Decision:
        """Say what to do next in the groups that have a connection free.

        The same answer comes again until the visit is reported as begun.
        """
        free, doubted, until = self._open(now, open_groups)
        for group in doubted:
            if (host := group.asked_longest_ago()) is not None:
                return Look(host.key)
        self._portion.look(now, stock, self._in_flight_bytes, self._groups.values())
        fed = self._fed(free, stock)
        needy = first([group.refills for group in fed])
        look = first([queue for group in free for queue in group.due()])
        if needy is not None and (look is None or self._before(needy, look, now)):
            size = self._portion.size(needy)
            if size.n_bytes:
                return _bring(needy, size.n_bytes, now)
            until = min(until, size.enough_at)
        if look is not None:
            return self._look(look, needy, now) if look.group in fed else Look(look.key)
        if needy is None and stock.nearly_full(self._in_flight_bytes):
            if self._portion.wants_small_rooms:
                spare = first([group.top_ups for group in fed])
                if spare is not None and (size := self._portion.size(spare)).n_bytes:
                    return _bring(spare, size.n_bytes, now)
            elif (spare := self._top_ups.first(now, fed)) is not None:
                if now < self._top_ups.next_at:
                    until = min(until, self._top_ups.next_at)
                elif n_bytes := self._top_ups.size(spare, now, stock.available_bytes):
                    return _bring(spare, n_bytes, now)
        return Idle(until if until < math.inf else None)

    def begun(self, key: HostKey, n_bytes: int, now: float) -> None:
        """Note that a visit started: a look if n_bytes is 0."""
        host = self._hosts[key]
        if host.visit_bytes is not None:
            raise ValueError(f"{key[1]} is being visited already")
        host.visit_bytes, host.begun_at = n_bytes, now
        host.group.in_flight_bytes += n_bytes
        host.group.retrying += host.may_hang
        self._in_flight_bytes += n_bytes
        self._fed_last = n_bytes > 0
        self._top_ups.begun(host, n_bytes, now, self._policy.top_ups_per_second)
        host.group.unsort(host)

    def observed(self, key: HostKey, reading: Reading, now: float) -> None:
        """Note that a visit ended with a reading."""
        host = self._ended(key)
        if host is None:
            return
        host.take_reading(reading, now)
        host.group.answered_at = now
        if host.begun_at >= host.group.doubted_since:
            host.group.doubted_since = math.inf
        host.visit_bytes = None
        host.schedule(now, self._policy)
        host.group.count_drain(host, host.drain.far, host.drain.peak)
        self._sort(host, now)
        self._top_ups.read(host, now)

    def absent(self, key: HostKey, reason: str, now: float) -> None:
        """Note that the host cannot be fed (disabled, disconnected, not found, refused)."""
        host = self._ended(key)
        if host is None:
            return
        if host.visit_bytes:
            host.lose(reason, now)
        host.visit_bytes = None
        host.set_back(HostState.ABSENT, reason)
        host.group.count_drain(host, 0.0, 0.0)
        backoff = _ABSENT_SECONDS * 2.0 ** min(host.setbacks - 1, 8)
        host.look_at = now + min(_ABSENT_SECONDS_MOST, backoff)
        host.look_by = host.look_at + host.timeout_seconds
        self._sort(host, now)

    def uncertain(self, key: HostKey, n_bytes: int, now: float) -> None:
        """Note that nobody knows how a visit ended; n_bytes may have arrived or not."""
        host = self._ended(key)
        if host is None:
            return
        host.visit_bytes = None
        host.losses.doubtful_bytes += n_bytes
        host.set_back(HostState.UNCERTAIN, "fate of the last request unknown" if n_bytes else "")
        again = 2.0 ** min(host.setbacks - 2, 8) if host.setbacks > 1 else 0.0
        host.look_at = now + min(_UNCERTAIN_SECONDS_MOST, again)
        host.look_by = min(host.dry_at, now + self._policy.imminent_seconds)
        self._sort(host, now)

    def released(self, key: HostKey, now: float, n_lost_bytes: int = 0) -> None:
        """Note that a visit did not happen, so that nothing reached the host.

        n_lost_bytes were spent on it nevertheless, of which the host need not be the cause. While
        others of its group are answered, the trouble is its own whatever it looks like, and it is
        asked again later each time, so that it does not hold up the others.
        """
        host = self._ended(key)
        if host is None:
            return
        if n_lost_bytes:
            host.group.losses_in_a_row += 1
        host.visit_bytes = None
        host.release(now)
        again = _RELEASED_SECONDS * 2.0 ** min(host.releases - 1, 8)
        host.not_before = now + min(_RELEASED_SECONDS_MOST, again)
        self._sort(host, now)

    def outlook(self, now: float) -> list[HostOutlook]:
        """Return every host as it stands now, in no particular order."""
        return [outlook_of(host, now) for host in self._hosts.values() if not host.leaving]

    def keeps_up(self, now: float) -> Lateness:
        """Return how late looks are; late ones mean that round trips or connections fall short."""
        return lateness_of((host for host in self._hosts.values() if not host.leaving), now)

    def _group(self, name: str) -> Group:
        return self._groups.setdefault(name, Group(self._policy.max_add_bytes))

    def _ended(self, key: HostKey) -> Host | None:
        """Close the visit; None if the host is gone. Its bytes still stand in visit_bytes."""
        host = self._hosts.get(key)
        if host is None:
            return None
        self._in_flight_bytes -= host.visit_bytes or 0
        host.group.in_flight_bytes -= host.visit_bytes or 0
        host.group.retrying -= host.may_hang
        if host.leaving:
            self._forget(host)
            return None
        return host

    def _forget(self, host: Host) -> None:
        del self._hosts[host.key]
        host.group.members.discard(host)

    def _fed(self, free: list[Group], stock: Stock) -> list[Group]:
        """Return those that may get bytes: one whose answers do not come must not hold them all."""
        if sum(1 for group in self._groups.values() if group.members) < 2:
            return free
        share = _SHARE_OF_FREE * (stock.capacity_bytes - self._in_flight_bytes)
        return [group for group in free if group.in_flight_bytes <= max(0.0, share)]

    def _before(self, needy: Host, look: Host, now: float) -> bool:
        """Say whether the needy host goes before the look that is due."""
        if needy.dry_at <= now + self._policy.imminent_seconds:
            return needy.dry_at <= look.look_by
        return look.state is HostState.READ and not self._fed_last

    def _look(self, host: Host, needy: Host | None, now: float) -> Decision:
        """Look, or bring bytes on the way, since the answer to those is a reading too."""
        waits = host.group.refills.holds(host) or host.group.top_ups.holds(host)
        if waits and (host is needy or self._portion.spares_out_of_turn(host)):
            size = self._portion.size(host)
            if size.n_bytes:
                return _bring(host, size.n_bytes, now)
        return Look(host.key)

    def _open(
        self, now: float, open_groups: Collection[str]
    ) -> tuple[list[Group], list[Group], float]:
        """Bring all queues up to date; return the open groups, those in doubt apart.

        And the moment at which one of them has to be brought up to date again.
        """
        free: list[Group] = []
        doubted: list[Group] = []
        until = math.inf
        for name, group in self._groups.items():
            wake = self._wake(group, now)
            if name in open_groups:
                group.open_at = now
                until = min(until, wake)
                (free if group.doubted_since == math.inf else doubted).append(group)
        return free, doubted, until

    def _wake(self, group: Group, now: float) -> float:
        """Sort those anew whose moment has come, and return the next such moment."""
        while (head := group.wakes.head()) is not None:
            moment, host = head
            if moment > now:
                return moment
            group.wakes.drop(host)
            self._sort(host, now)
        return math.inf

    def _sort(self, host: Host, now: float) -> None:
        """Put a host that is not being visited into the queues where it belongs now."""
        if host.visit_bytes is not None:
            return
        group, wake = host.group, math.inf
        if now < host.not_before:
            group.unsort(host)
            group.wakes.put(host, host.not_before)
            return
        if host.may_be_low_at(now) is not host.low:
            host.low = not host.low
            group.low += 1 if host.low else -1
        if not host.low and host.state is HostState.READ:
            wake = host.sinks_at
        if host.look_at <= now:
            (group.retries if host.may_hang else group.looks).keep(host, host.look_by)
        else:
            wake = min(wake, host.look_at)
        if self._portion.worth_feeding(host, now):
            if host.refill_at <= now:
                group.top_ups.drop(host)
                group.refills.keep(host, host.dry_at)
            elif host.top_up_at <= now:
                group.top_ups.keep(host, host.dry_at)
                wake = min(wake, host.refill_at)
            else:
                wake = min(wake, host.top_up_at)
        if wake < math.inf:
            group.wakes.put(host, wake)


def _bring(host: Host, n_bytes: int, now: float) -> Decision:
    """Feed the host, or look first if its last reading is too old."""
    return Feed(host.key, n_bytes) if host.trusted_at(now) else Look(host.key)
