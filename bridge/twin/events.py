"""What a host logs about its entropy, in the vendor's ids and words (KB 89074)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class EventId(StrEnum):
    """The ids of the vendor's event catalogue."""

    AVAILABLE_LOW = "esx.audit.entropy.available.low"
    SOURCE_DISCONNECTED = "esx.audit.entropy.external.source.disconnected"
    MEMORY_EMPTY = "esx.problem.entropy.inmemory.empty"
    EMPTY = "esx.problem.entropy.empty"
    CONFIG_ERROR = "esx.problem.entropy.config.error"


_PREFIX = "Host is configured with external entropy source. "
EVENT_TEXT = {
    EventId.AVAILABLE_LOW: _PREFIX + "Host is running low on entropy bits in its memory cache.",
    EventId.SOURCE_DISCONNECTED: _PREFIX + "The external entropy source is disconnected.",
    EventId.MEMORY_EMPTY: _PREFIX + "The entropy available in the memory cache is exhausted.",
    EventId.EMPTY: _PREFIX
    + "The entropy available in the memory cache and storage cache is exhausted.",
    EventId.CONFIG_ERROR: _PREFIX
    + "Entropy daemon has become non functional because of cache size change.",
}


@dataclass(frozen=True)
class Event:
    """One line of a host's event log; the time is in seconds since 1970."""

    number: int
    time_seconds: float
    host: str
    event_id: EventId

    @property
    def text(self) -> str:
        """Return the vendor's words."""
        return EVENT_TEXT[self.event_id]


class EventLog:
    """The newest events of all hosts."""

    def __init__(self, most: int = 100_000) -> None:
        self._events: deque[Event] = deque(maxlen=most)
        self._next_number = 1

    def add(self, time_seconds: float, host: str, event_id: EventId) -> None:
        """Append one event; events are numbered from 1 in the order in which they are noticed."""
        self._events.append(Event(self._next_number, time_seconds, host, event_id))
        self._next_number += 1

    def since(self, number: int) -> Iterator[Event]:
        """Return the events after that number, oldest first."""
        return (event for event in self._events if event.number > number)

    def __len__(self) -> int:
        return len(self._events)
