"""Who is next: heaps of hosts by a moment, with overtaken entries dropped when they surface."""

from __future__ import annotations

import heapq
import math
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.feed.hoststate import Host

_LIVE_SECONDS = 5.0
_RETRIES_OF_PLACES = 4  # a host that hangs holds its place for a whole time-out


class Turn(IntEnum):
    """What a host can wait for; the index of its stamp."""

    WAKE = 0
    """A moment at which it has to be sorted anew."""
    REFILL = 1
    """Bytes for its own sake, by the moment it runs dry."""
    TOP_UP = 2
    """Bytes that lie idle, by the moment it runs dry."""
    LOOK = 3
    """A look that is due, by the moment at which it must have happened."""
    RETRY = 4
    """The same at a host that did not answer the last one in time."""


class Queue:
    """Hosts that wait for one kind of turn, in O(log n); each host at most once."""

    __slots__ = ("_entries", "_live", "_stamp", "_turn")

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._entries: list[tuple[float, int, Host]] = []
        self._stamp = 0
        self._live = 0

    def __len__(self) -> int:
        return self._live

    def hosts(self) -> list[Host]:
        """Return the waiting hosts in no particular order."""
        turn = self._turn
        return [host for _, stamp, host in self._entries if host.stamps[turn] == stamp]

    def put(self, host: Host, moment: float) -> None:
        """Let the host wait under this moment, instead of any earlier one."""
        self.drop(host)
        self._stamp += 1
        self._live += 1
        host.stamps[self._turn] = self._stamp
        heapq.heappush(self._entries, (moment, self._stamp, host))
        if len(self._entries) > 4 * self._live + 64:
            self._entries = [e for e in self._entries if e[2].stamps[self._turn] == e[1]]
            heapq.heapify(self._entries)

    def keep(self, host: Host, moment: float) -> None:
        """Let the host wait under this moment unless it waits already."""
        if not self.holds(host):
            self.put(host, moment)

    def drop(self, host: Host) -> None:
        """Let the host wait no longer, if it did."""
        if host.stamps[self._turn]:
            host.stamps[self._turn] = 0
            self._live -= 1

    def holds(self, host: Host) -> bool:
        """Say whether the host waits here."""
        return host.stamps[self._turn] != 0

    def head(self) -> tuple[float, Host] | None:
        """Return the earliest moment and its host, which stays where it is."""
        entries, turn = self._entries, self._turn
        while entries:
            moment, stamp, host = entries[0]
            if host.stamps[turn] == stamp:
                return moment, host
            heapq.heappop(entries)
        return None


def first(queues: Iterable[Queue]) -> Host | None:
    """Return the host with the earliest moment of all."""
    best: tuple[float, Host] | None = None
    for queue in queues:
        head = queue.head()
        if head is not None and (best is None or head[0] < best[0]):
            best = head
    return best[1] if best else None


class Group:
    """The hosts of one vCenter, by what they wait for."""

    __slots__ = (
        "answered_at",
        "bytes_per_second",
        "capped",
        "doubted_since",
        "in_flight_bytes",
        "looks",
        "losses_in_a_row",
        "low",
        "max_add_bytes",
        "members",
        "open_at",
        "peak_bytes_per_second",
        "places",
        "queues",
        "refills",
        "retries",
        "retrying",
        "top_ups",
        "wakes",
    )

    def __init__(self, max_add_bytes: int) -> None:
        self.max_add_bytes = max_add_bytes
        self.capped = False
        """Its bytes are counted, so that more for one host are fewer for others."""
        self.open_at = -math.inf
        self.answered_at = -math.inf
        """The last moment at which one of its hosts could be read."""
        self.doubted_since = math.inf
        """It may take no requests, and has to answer one that began later before it gets bytes."""
        self.members: set[Host] = set()
        self.low = 0
        self.in_flight_bytes = 0
        """In its visits under way, which hold as much of the reserve."""
        self.places: float = math.inf
        """The visits that it takes at once."""
        self.retrying = 0
        """Visits under way to hosts that did not answer the last one in time."""
        self.losses_in_a_row = 0
        """Visits that lost what they brought since one did not."""
        self.bytes_per_second = 0.0
        self.peak_bytes_per_second = 0.0
        self.wakes = Queue(Turn.WAKE)
        self.refills = Queue(Turn.REFILL)
        self.top_ups = Queue(Turn.TOP_UP)
        self.looks = Queue(Turn.LOOK)
        self.retries = Queue(Turn.RETRY)
        self.queues = (self.wakes, self.refills, self.top_ups, self.looks, self.retries)
        """All of them, in the order of their turns."""

    def asked_longest_ago(self) -> Host | None:
        """Return whom to ask whether it answers again: one who waits for bytes or a look.

        Whoever would be first else may be the one who has no answer, and would be so each time.
        """
        waiting = [host for queue in (self.refills, self.looks) for host in queue.hosts()]
        return min(waiting or self.retries.hosts(), key=_begun_at, default=None)

    def due(self) -> tuple[Queue, ...]:
        """Return the queues of looks that may begin: hosts that may hang hold a part of all places.

        The others would be dry before enough of those that hang had timed out.
        """
        if self.retrying + 1 <= max(1, self.places / _RETRIES_OF_PLACES):
            return self.looks, self.retries
        return (self.looks,)

    def unsort(self, host: Host) -> None:
        """Take one of its hosts out of every queue."""
        for queue in self.queues:
            queue.drop(host)
        if host.low:
            host.low = False
            self.low -= 1

    def count_drain(self, host: Host, far: float, peak: float) -> None:
        """Let one of its hosts count with this much."""
        self.bytes_per_second += far - host.counted_bytes_per_second
        self.peak_bytes_per_second += peak - host.counted_peak_bytes_per_second
        host.counted_bytes_per_second, host.counted_peak_bytes_per_second = far, peak

    def lives_at(self, now: float) -> bool:
        """Say whether it took visits lately, so that its hosts count in what is shared out."""
        return now - self.open_at < _LIVE_SECONDS


def _begun_at(host: Host) -> float:
    return host.begun_at
