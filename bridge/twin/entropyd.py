"""One host's entropyd: memory cache, storage cache, mixer and kernel pool, through its life.

Additions go into the memory cache (the Pool) and, by reading, the storage cache. The memory
cache keeps the kernel's pool full, from which applications drain. The storage cache is consumed
while booting and at no other time. A host with sources = 8 hangs when its kernel pool is empty.
Like the pool, it is advanced lazily to the moment that every call names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bridge.twin.drain import Drain
from bridge.twin.events import EventId
from bridge.twin.parameters import DEFAULTS, Parameters
from bridge.twin.pool import Added, Levels, Pool
from bridge.twin.readings import (
    AvailableCounts,
    BootStorage,
    CacheResize,
    Exhaustion,
    Readings,
    StorageFill,
    WatermarkUnit,
)
from bridge.twin.sources import EXTERNAL_ONLY, effective, is_external

KERNEL_POOL_BYTES = 32 * 1024


class State(StrEnum):
    """What the host is doing."""

    RUNNING = "running"
    OFF = "off"
    BOOTING = "booting"
    HUNG = "hung"  # out of entropy; a reboot may help
    LOST = "lost"  # only another installation helps


@dataclass(frozen=True)
class Birth:
    """What a host begins with when the twin starts: it is long installed and running."""

    now: float
    level_bytes: int
    storage_bytes: int
    sources: int = EXTERNAL_ONLY
    boot_seconds: float = 60.0


class Entropyd:
    """The daemon and the part of its host's life that depends on it."""

    def __init__(
        self,
        birth: Birth,
        readings: Readings,
        make_drain: Callable[[int], Drain],
        on_event: Callable[[EventId, float], None],
    ) -> None:
        """Take the drain of the memory cache from make_drain(sources)."""
        self._readings = readings
        self._make_drain = make_drain
        self._on_event = on_event
        self._boot_seconds = birth.boot_seconds
        self._boot_ends = 0.0
        self.parameters = DEFAULTS
        self.sources = birth.sources
        self.state = State.RUNNING
        self.broken = False
        self.boots = 0
        self.storage_bytes = min(birth.storage_bytes, self.parameters.storage_bytes)
        self.pool = Pool(
            make_drain(birth.sources),
            now=birth.now,
            level_bytes=birth.level_bytes,
            kernel_bytes=KERNEL_POOL_BYTES if self._can_hang else 0,
            on_event=self._note,
            on_exhausted=self._hang,
        )
        self.pool.set_running(self.enabled, birth.now)

    @property
    def enabled(self) -> bool:
        """Return whether the host takes entropy from outside."""
        return is_external(self.sources)

    @property
    def _can_hang(self) -> bool:
        tolerated = self._readings.exhaustion is Exhaustion.TOLERATED
        return effective(self.sources) == EXTERNAL_ONLY and not tolerated

    def advance(self, now: float) -> None:
        """Let everything happen that happens until now."""
        if self.state is State.BOOTING and now >= self._boot_ends:
            self._come_up(self._boot_ends)
        self.pool.advance(now)

    def read(self, now: float) -> Levels:
        """Return the levels as the API shows them; a contact."""
        self.advance(now)
        return self._shown(self.pool.read(now))

    def add(self, n_bytes: int, now: float) -> Added:
        """Take what there is room for; a contact."""
        self.advance(now)
        room = self.pool.capacity_bytes - self.pool.level_bytes
        shown_before = self._shown_bytes(self.pool.level_bytes)
        extra = self._store(n_bytes, min(n_bytes, room))
        added = self.pool.add(n_bytes, now, stored_bytes=extra)
        levels = self._shown(added.levels)
        return Added(
            levels,
            shown_before,
            levels.capacity_bytes - shown_before,
            added.accepted_bytes + extra,
        )

    def set_demand(self, make_drain: Callable[[int], Drain], now: float) -> None:
        """Drain differently from now on."""
        self.advance(now)
        self._make_drain = make_drain
        self.pool.set_drain(make_drain(self.sources), now)

    def set_sources(self, sources: int, now: float) -> None:
        """Change the bitmask at once, as no real host does: for tests and scenarios."""
        self.advance(now)
        self.sources = sources
        self.pool.set_drain(self._make_drain(sources), now)
        self.pool.set_kernel(KERNEL_POOL_BYTES if self._can_hang else 0, now)
        self._keep_running(now)

    def set_storage(self, storage_bytes: int) -> None:
        """Put that much into the storage cache: for tests and scenarios."""
        self.storage_bytes = min(storage_bytes, self.parameters.storage_bytes)

    def set_parameters(self, parameters: Parameters, now: float) -> None:
        """Tune the daemon; what has no room any more is gone."""
        self.advance(now)
        resized = parameters.memory_cache_size != self.parameters.memory_cache_size
        too_small = parameters.memory_bytes < self.pool.level_bytes
        self.parameters = parameters
        self.storage_bytes = min(self.storage_bytes, parameters.storage_bytes)
        breaks = self._readings.cache_resize is CacheResize.BREAKS or (
            self._readings.cache_resize is CacheResize.BREAKS_IF_SMALLER and too_small
        )
        if resized and breaks:
            self.broken = True
            self._on_event(EventId.CONFIG_ERROR, now)
            self.pool.set_running(False, now)
            return
        self._configure_pool(now)

    def power_off(self, now: float) -> None:
        """Stop; memory and kernel pool are lost."""
        self.advance(now)
        self.state = State.LOST if self.state is State.LOST else State.OFF
        self.pool.lose_memory(now)

    def reboot(self, now: float) -> None:
        """Start again; only the storage cache survives."""
        self.advance(now)
        hung = self.state is State.HUNG
        self.pool.lose_memory(now)
        if self.state is State.LOST:
            return
        if hung and self._readings.exhaustion is Exhaustion.REINSTALL:
            self.state = State.LOST
            return
        self._begin_boot(now)

    def install(self, sources: int, payload_bytes: int, now: float) -> None:
        """Install the host anew with that bitmask and payload, and boot it."""
        self.advance(now)
        self.pool.lose_memory(now)
        self.parameters = DEFAULTS
        self.sources = sources
        self.storage_bytes = (
            min(payload_bytes, DEFAULTS.storage_bytes) if is_external(sources) else 0
        )
        self._begin_boot(now)

    def _begin_boot(self, now: float) -> None:
        self.state = State.BOOTING
        self._boot_ends = now + self._boot_seconds

    def _come_up(self, at_seconds: float) -> None:
        if not self.enabled:
            self._run(at_seconds, 0)
            return
        seed = min(self.storage_bytes, KERNEL_POOL_BYTES)
        if self._can_hang and seed < KERNEL_POOL_BYTES:
            # There is not enough to boot from, and nothing else that this host may use.
            self.state = State.LOST
            self._on_event(EventId.EMPTY, at_seconds)
            return
        self.storage_bytes -= seed
        level = 0
        if self._readings.boot_storage is BootStorage.REFILLS_MEMORY:
            level = min(self.storage_bytes, self.parameters.memory_bytes)
            self.storage_bytes -= level
        self._run(at_seconds, level)

    def _run(self, at_seconds: float, level_bytes: int) -> None:
        self.state = State.RUNNING
        self.broken = False
        self.boots += 1
        self._configure_pool(at_seconds)
        self.pool.set_drain(self._make_drain(self.sources), at_seconds)
        self.pool.set_kernel(KERNEL_POOL_BYTES if self._can_hang else 0, at_seconds)
        self.pool.set_level(level_bytes, at_seconds)
        self._keep_running(at_seconds)
        if self.enabled:
            self.pool.note_shortage(at_seconds)

    def _configure_pool(self, now: float) -> None:
        self.pool.configure(
            now,
            capacity_bytes=self.parameters.memory_bytes,
            low_watermark_percent=self.parameters.memory_cache_low_watermark,
            inactive_source_timeout_seconds=self.parameters.external_entropy_lost_timeout,
        )

    def _keep_running(self, now: float) -> None:
        running = self.state is State.RUNNING and self.enabled and not self.broken
        if running != self.pool.running:
            self.pool.set_running(running, now)

    def _hang(self) -> None:
        self.state = State.HUNG

    def _note(self, event_id: EventId, at_seconds: float) -> None:
        if not self.enabled:
            return
        self._on_event(event_id, at_seconds)
        if event_id is EventId.MEMORY_EMPTY and not self.storage_bytes:
            self._on_event(EventId.EMPTY, at_seconds)

    def _store(self, n_bytes: int, accepted_bytes: int) -> int:
        room = self.parameters.storage_bytes - self.storage_bytes
        if self._readings.available_counts is AvailableCounts.MEMORY_AND_STORAGE:
            overflow = min(n_bytes - accepted_bytes, room)
            self.storage_bytes += overflow
            return overflow
        if self._readings.storage_fill is StorageFill.COPY:
            self.storage_bytes += min(accepted_bytes, room)
        return 0

    def _shown_bytes(self, level_bytes: int) -> int:
        both = self._readings.available_counts is AvailableCounts.MEMORY_AND_STORAGE
        return level_bytes + (self.storage_bytes if both else 0)

    def _shown(self, levels: Levels) -> Levels:
        both = self._readings.available_counts is AvailableCounts.MEMORY_AND_STORAGE
        bits = 8 if self._readings.watermark_unit is WatermarkUnit.BITS else 1
        return Levels(
            levels.capacity_bytes + (self.parameters.storage_bytes if both else 0),
            self._shown_bytes(levels.available_bytes),
            levels.low_watermark_bytes * bits,
            levels.inactive_source_timeout_seconds,
        )
