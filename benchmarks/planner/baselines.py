"""What people write first: round-robin, and refilling below a threshold in list order.

Both look at every host once per pass and send what fits, and both are given what a plain script
lacks: looks go on while bytes are waited for, and requests run side by side.
"""

from __future__ import annotations

import heapq
import itertools
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from bridge.feed.decision import Decision, Feed, HostKey, Idle, Look

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.feed.hoststate import Reading
    from bridge.feed.policy import Stock

PASS_SECONDS = 17.0
MAX_ADD_BYTES = 256 * 1024
MIN_ROOM_BYTES = 3 * 1024


class _Passes(ABC):
    """Looks at every host in list order, pass after pass, and feeds those that want by place."""

    def __init__(self) -> None:
        self._order: dict[HostKey, int] = {}
        self._room: dict[HostKey, int] = {}
        self._busy: set[HostKey] = set()
        self._waiting: set[HostKey] = set()
        self._lines: dict[str, list[tuple[int, HostKey]]] = {}
        self._to_look: deque[HostKey] = deque()
        self._next_pass = 0.0

    @abstractmethod
    def wants(self, reading: Reading) -> bool:
        """Say whether a host with this reading is to be fed."""

    @abstractmethod
    def place(self, key: HostKey) -> int:
        """Give the host's place in the line: the lowest is next."""

    def add_host(self, key: HostKey, now: float) -> None:
        del now
        self._order[key] = len(self._order)
        self._lines.setdefault(key[0], [])

    def begun(self, key: HostKey, n_bytes: int, now: float) -> None:
        del n_bytes, now
        self._busy.add(key)
        self._waiting.discard(key)

    def observed(self, key: HostKey, reading: Reading, now: float) -> None:
        del now
        self._busy.discard(key)
        room = reading.capacity_bytes - reading.available_bytes
        self._room[key] = room - room % 3
        if self._room[key] >= MIN_ROOM_BYTES and self.wants(reading):
            self._waiting.add(key)
            heapq.heappush(self._lines[key[0]], (self.place(key), key))

    def decide(self, now: float, stock: Stock, open_groups: Collection[str]) -> Decision:
        if now >= self._next_pass and not self._to_look:
            self._to_look.extend(self._order)
            self._next_pass = now + PASS_SECONDS
        key = self._first(open_groups)
        if key is not None:
            wanted = min(self._room[key], MAX_ADD_BYTES)
            if stock.available_bytes >= min(wanted, stock.capacity_bytes // 4):
                n_bytes = min(wanted, stock.available_bytes)
                return Feed(key, n_bytes - n_bytes % 3)
        for _ in range(len(self._to_look)):
            head = self._to_look[0]
            if head in self._busy:
                self._to_look.popleft()
            elif head[0] in open_groups:
                self._to_look.popleft()
                return Look(head)
            else:
                self._to_look.rotate(-1)
        return Idle(self._next_pass)

    def _first(self, open_groups: Collection[str]) -> HostKey | None:
        heads = []
        for group in open_groups:
            line = self._lines[group]
            while line and line[0][1] not in self._waiting:
                heapq.heappop(line)
            heads += line[:1]
        return min(heads)[1] if heads else None


class RoundRobin(_Passes):
    """Fills every host that has room, in turn: whoever was fed goes to the end."""

    def __init__(self) -> None:
        super().__init__()
        self._tickets: dict[HostKey, int] = {}
        self._next_ticket = itertools.count()

    def wants(self, reading: Reading) -> bool:
        return reading.available_bytes < reading.capacity_bytes

    def begun(self, key: HostKey, n_bytes: int, now: float) -> None:
        super().begun(key, n_bytes, now)
        if n_bytes:
            self._tickets.pop(key, None)

    def place(self, key: HostKey) -> int:
        if key not in self._tickets:
            self._tickets[key] = next(self._next_ticket)
        return self._tickets[key]


class ThresholdInListOrder(_Passes):
    """Fills hosts below a threshold, those that stand first in the list first."""

    def __init__(self, threshold: float = 0.9) -> None:
        super().__init__()
        self._threshold = threshold

    def wants(self, reading: Reading) -> bool:
        return reading.available_bytes < self._threshold * reading.capacity_bytes

    def place(self, key: HostKey) -> int:
        return self._order[key]
