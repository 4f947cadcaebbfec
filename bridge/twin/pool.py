"""One host's pool for external entropy: how much is in it, when it ran low or dry, and why.

A pool counts bytes and never holds them. It is drained lazily: every call says what time it is
and the pool catches up to that moment first, exactly, with the moments of all events in between.
At any moment: initial + accepted + adjusted = level + drained.

A pool may stand before a small pool of the kernel, which it keeps full and from which the host
lives on when it is empty. When that runs dry too, the pool is exhausted and stands still.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bridge.twin.drain import Drain
from bridge.twin.events import EventId

DEFAULT_CAPACITY_BYTES = 524_288
DEFAULT_LOW_WATERMARK_PERCENT = 20
DEFAULT_INACTIVE_SOURCE_TIMEOUT_SECONDS = 60
_DRY_SPELLS_KEPT = 1000


class Levels(NamedTuple):
    """What a host says of an enabled pool."""

    capacity_bytes: int
    available_bytes: int
    low_watermark_bytes: int
    inactive_source_timeout_seconds: int


class Added(NamedTuple):
    """What became of one addition."""

    levels: Levels
    available_before_bytes: int
    room_bytes: int
    accepted_bytes: int


@dataclass
class DrySpell:
    """A time in which the pool was empty; still running while it has no end."""

    start_seconds: float
    end_seconds: float | None = None


class Pool:
    """A level between 0 and a capacity, drained all the time."""

    def __init__(
        self,
        drain: Drain,
        *,
        now: float,
        level_bytes: int,
        on_event: Callable[[EventId, float], None],
        kernel_bytes: int = 0,
        on_exhausted: Callable[[], None] = lambda: None,
        capacity_bytes: int = DEFAULT_CAPACITY_BYTES,
        low_watermark_percent: int = DEFAULT_LOW_WATERMARK_PERCENT,
        inactive_source_timeout_seconds: int = DEFAULT_INACTIVE_SOURCE_TIMEOUT_SECONDS,
    ) -> None:
        if not 0 <= level_bytes <= capacity_bytes:
            raise ValueError("the level must lie between 0 and the capacity")
        self._drain = drain
        self._on_event = on_event
        self._on_exhausted = on_exhausted
        self._at = now
        self._owed = 0.0  # the fraction of a byte that the drain has not taken yet
        self.capacity_bytes = capacity_bytes
        self.low_watermark_percent = low_watermark_percent
        self.inactive_source_timeout_seconds = inactive_source_timeout_seconds
        self.level_bytes = level_bytes
        self.initial_bytes = level_bytes
        self.lowest_bytes = level_bytes
        self.accepted_bytes = 0
        self.discarded_bytes = 0
        self.stored_bytes = 0
        self.kernel_capacity_bytes = kernel_bytes
        self.kernel_bytes = kernel_bytes
        self.adjusted_bytes = 0
        self.drained_bytes = 0
        self.unmet_bytes = 0
        self.additions = 0
        self.reads = 0
        self.last_contact_seconds = now
        self.running = True
        self.dry_spells: deque[DrySpell] = deque(maxlen=_DRY_SPELLS_KEPT)
        self.dry_count = 0
        if not level_bytes:
            self._run_dry(now)
        self._low = level_bytes <= self.low_watermark_bytes
        self._lost = False

    @property
    def low_watermark_bytes(self) -> int:
        """Return the level at which the pool counts as low."""
        return self.capacity_bytes * self.low_watermark_percent // 100

    def read(self, now: float) -> Levels:
        """Return the levels, as the external source asks for them: that counts as a contact."""
        self.advance(now)
        self._contact()
        self.reads += 1
        return self._levels()

    def add(self, n_bytes: int, now: float, *, stored_bytes: int = 0) -> Added:
        """Accept what there is room for; discard the rest, but for what is stored elsewhere."""
        self.advance(now)
        self._contact()
        before = self.level_bytes
        room = self.capacity_bytes - before
        accepted = min(n_bytes, room)
        self.additions += 1
        self.accepted_bytes += accepted
        self.discarded_bytes += n_bytes - accepted - stored_bytes
        self.stored_bytes += stored_bytes
        pushed = min(self.kernel_capacity_bytes - self.kernel_bytes, before + accepted)
        self.kernel_bytes += pushed
        self.drained_bytes += pushed
        self._change_level(before + accepted - pushed)
        return Added(self._levels(), before, room, accepted)

    def advance(self, now: float) -> None:
        """Let the pool be drained up to now and report what happened on the way, in order."""
        if now <= self._at:
            return
        happened: list[tuple[float, EventId]] = []
        ran = self.running
        while self._at < now and self.running:
            rate, until = self._drain.flow(self._at)
            self._take(rate, min(until, now), happened)
        lost_at = self.last_contact_seconds + self.inactive_source_timeout_seconds
        if ran and not self._lost and self._at >= lost_at:
            self._lost = True
            happened.append((lost_at, EventId.SOURCE_DISCONNECTED))
        self._at = now
        for moment, event_id in sorted(happened):
            self._on_event(event_id, moment)
        if ran and not self.running:
            self._on_exhausted()

    def set_level(self, level_bytes: int, now: float) -> None:
        """Put the level where a test or a scenario wants it."""
        if not 0 <= level_bytes <= self.capacity_bytes:
            raise ValueError("the level must lie between 0 and the capacity")
        self.advance(now)
        self.adjusted_bytes += level_bytes - self.level_bytes
        if level_bytes == 0 and self.level_bytes:
            self._run_dry(now)
        self._change_level(level_bytes)
        self.lowest_bytes = min(self.lowest_bytes, level_bytes)

    def note_shortage(self, now: float) -> None:
        """Report what is low or empty already, as a daemon does that has just started."""
        self.advance(now)
        if self._low:
            self._on_event(EventId.AVAILABLE_LOW, now)
        if not self.level_bytes:
            self._run_dry(now)
            self._on_event(EventId.MEMORY_EMPTY, now)

    def set_drain(self, drain: Drain, now: float) -> None:
        """Drain differently from now on."""
        self.advance(now)
        self._drain = drain

    def set_running(self, running: bool, now: float) -> None:
        """Stop or start time for the pool, as a host that is off or on does."""
        self.advance(now)
        self.running = running
        if running:
            self._contact()

    def set_kernel(self, kernel_bytes: int, now: float) -> None:
        """Put a full kernel pool of that size behind this one; 0 is one without a bottom."""
        self.advance(now)
        self.kernel_capacity_bytes = self.kernel_bytes = kernel_bytes

    def lose_memory(self, now: float) -> None:
        """Stop and forget everything that is in memory, as a host does that goes down."""
        self.set_running(False, now)
        self.adjusted_bytes -= self.level_bytes
        self.level_bytes = self.kernel_bytes = 0

    def configure(
        self,
        now: float,
        *,
        capacity_bytes: int,
        low_watermark_percent: int,
        inactive_source_timeout_seconds: int,
    ) -> None:
        """Change the size, the watermark and the timeout; what has no room any more is gone."""
        self.advance(now)
        self.capacity_bytes = capacity_bytes
        self.low_watermark_percent = low_watermark_percent
        self.inactive_source_timeout_seconds = inactive_source_timeout_seconds
        kept = min(self.level_bytes, capacity_bytes)
        self.adjusted_bytes += kept - self.level_bytes
        self._change_level(kept)
        self.lowest_bytes = min(self.lowest_bytes, kept)

    def _run_dry(self, at_seconds: float) -> None:
        self.dry_count += 1
        self.dry_spells.append(DrySpell(at_seconds))

    def _contact(self) -> None:
        self.last_contact_seconds = self._at
        self._lost = False

    def _change_level(self, level_bytes: int) -> None:
        self.level_bytes = level_bytes
        self._low = level_bytes <= self.low_watermark_bytes
        if level_bytes and self.dry_spells and self.dry_spells[-1].end_seconds is None:
            self.dry_spells[-1].end_seconds = self._at

    def _levels(self) -> Levels:
        return Levels(
            self.capacity_bytes,
            self.level_bytes,
            self.low_watermark_bytes,
            self.inactive_source_timeout_seconds,
        )

    def _take(self, rate: float, end: float, happened: list[tuple[float, EventId]]) -> None:
        start, owed = self._at, self._owed
        demand = owed + rate * (end - start)
        whole = int(demand)
        self._at, self._owed = end, demand - whole
        if not whole:
            return
        before = self.level_bytes
        everything = before + self.kernel_bytes

        def moment_of(n_bytes: int) -> float:
            return min(end, max(start, start + (n_bytes - owed) / rate))

        if self.kernel_capacity_bytes and whole >= everything:
            whole, self._owed = everything, 0.0
            self._at = moment_of(everything)
            self.running = False
        taken = min(before, whole)
        self.level_bytes = before - taken
        self.drained_bytes += taken
        self.lowest_bytes = min(self.lowest_bytes, self.level_bytes)
        if self.kernel_capacity_bytes:
            self.kernel_bytes -= whole - taken
        else:
            self.unmet_bytes += whole - taken
        watermark = self.low_watermark_bytes
        if not self._low and self.level_bytes <= watermark:
            self._low = True
            happened.append((moment_of(before - watermark), EventId.AVAILABLE_LOW))
        if before and not self.level_bytes:
            empty_at = moment_of(before)
            self._run_dry(empty_at)
            happened.append((empty_at, EventId.MEMORY_EMPTY))
