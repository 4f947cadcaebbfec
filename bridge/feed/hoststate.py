"""What is known of one host: its last reading, its drain, and when to turn to it again.

Only the planner writes here. All times are the caller's, in seconds on one clock that never goes
back; a level between two readings is an estimate, the room is always that of the last reading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from bridge.feed.drain import DrainEstimate
from bridge.feed.losses import UNANSWERED, Losses
from bridge.feed.policy import GROUP_BYTES
from bridge.feed.sharing import Sharing
from bridge.feed.taking import Taking
from bridge.feed.turns import Turn

if TYPE_CHECKING:
    from bridge.feed.decision import HostKey
    from bridge.feed.policy import Policy
    from bridge.feed.turns import Group
    from bridge.feed.water import Need

DEFAULT_TIMEOUT_SECONDS = 60.0
NO_ANSWER = "no answer in time"
_FRESH_SECONDS = 2.0
_TIMEOUTS_OF_TRUST = 3.0
_READINGS_TO_KNOW = 3
_STEEP_FACTOR = 2.0
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class Reading(NamedTuple):
    """A host's pool as vCenter reports it, in bytes."""

    capacity_bytes: int
    available_bytes: int
    low_watermark_bytes: int
    inactive_source_timeout_seconds: float

    def sane(self) -> Reading:
        """Return it with a watermark given in bits put right and every figure within bounds."""
        if (
            0 <= self.available_bytes <= self.capacity_bytes
            and 0 <= self.low_watermark_bytes <= self.capacity_bytes
            and self.inactive_source_timeout_seconds > 0
        ):
            return self
        capacity = max(0, self.capacity_bytes)
        watermark = max(0, self.low_watermark_bytes)
        if watermark > capacity:
            watermark = min(capacity, watermark // 8)
        timeout = self.inactive_source_timeout_seconds
        return Reading(
            capacity_bytes=capacity,
            available_bytes=min(capacity, max(0, self.available_bytes)),
            low_watermark_bytes=watermark,
            inactive_source_timeout_seconds=timeout if timeout > 0 else DEFAULT_TIMEOUT_SECONDS,
        )


class HostState(StrEnum):
    """How the planner stands with a host."""

    NEW = "new"
    READ = "read"
    UNCERTAIN = "uncertain"
    ABSENT = "absent"


_READ = HostState.READ  # an enum's own attributes are slow to look up


@dataclass(slots=True, eq=False)
class Host:
    """One host in the planner's books."""

    key: HostKey
    group: Group
    serial: int
    contact_at: float
    """The last moment at which vCenter answered for it; before that, when it was added."""
    phase: float = 0.0
    """What sets the turns of this planner apart from another's, below 1."""
    drain: DrainEstimate = field(default_factory=DrainEstimate)
    state: HostState = HostState.NEW
    reason: str = ""
    leaving: bool = False
    reading: Reading | None = None
    read_at: float = 0.0
    asked_at: float = -math.inf
    """When the visit began that ended with this reading: the level is no older than that."""
    readings: int = 0
    visit_bytes: int | None = None
    """What the visit under way carries, 0 for a look; None between visits."""
    begun_at: float = -math.inf
    """When the last visit began."""
    topped_up: bool = False
    """The last visit brought bytes that would else have lain idle."""
    not_before: float = 0.0
    setbacks: int = 0
    releases: int = 0
    """How often in a row a visit to it did not happen while others of its group were answered."""
    released_at: float = -math.inf
    sharing: Sharing = field(default_factory=Sharing)
    taking: Taking = field(default_factory=Taking)
    losses: Losses = field(default_factory=Losses)
    undoubted_bytes: int = 0
    """What it held before the last interval; if that looked steep, a rise up to here undoes it."""
    low: bool = False
    """Counted in its group among those who wait below their watermark, or were never read."""
    counted_bytes_per_second: float = 0.0
    """Its part in the drain of its group."""
    counted_peak_bytes_per_second: float = 0.0
    """Its part in the peaks of its group."""
    stamps: list[int] = field(default_factory=lambda: [0] * len(Turn))
    sinks_at: float = -math.inf
    """When it falls below its watermark; in the past if it is below."""
    dry_at: float = 0.0
    refill_at: float = math.inf
    top_up_at: float = math.inf
    look_at: float = 0.0
    look_by: float = 0.0

    @property
    def timeout_seconds(self) -> float:
        """How long the host waits for its source before it calls it lost."""
        if self.reading is None:
            return DEFAULT_TIMEOUT_SECONDS
        return self.reading.inactive_source_timeout_seconds

    @property
    def may_hang(self) -> bool:
        """Say whether it did not answer in time when it was last asked."""
        return self.state is HostState.ABSENT and self.reason == NO_ANSWER

    @property
    def steep(self) -> bool:
        """Say whether it uses much more than the others of its group do on average."""
        if self.readings <= _READINGS_TO_KNOW:
            return False
        group = self.group
        return self.drain.far * len(group.members) > _STEEP_FACTOR * group.bytes_per_second

    @property
    def look_deadline(self) -> float:
        """The moment by which it has to be looked at: a third of its timeout."""
        return self.contact_at + self.timeout_seconds / 3.0

    def may_be_low_at(self, now: float) -> bool:
        """Say whether it is below its watermark for all that is known."""
        if self.state is HostState.ABSENT:
            return False
        return self.reading is None or self.sinks_at <= now

    def level_at(self, now: float) -> float:
        """Estimate what the host holds, in bytes."""
        if self.reading is None:
            return 0.0
        used = self.drain.near * max(0.0, now - self.read_at)
        return max(0.0, self.reading.available_bytes - used)

    def need_at(self, now: float, refill_below: float) -> Need:
        """Return what it takes to refill it, for water-filling."""
        reading, drain = self.reading, self.drain
        rate = drain.far
        if reading is None:
            return 0.0, 0.0, rate
        to_dry = self.dry_at - now if self.dry_at > now else 0.0
        level = reading.available_bytes - drain.near * (now - self.read_at)
        missing = refill_below * reading.capacity_bytes - max(0.0, level)
        return to_dry, to_dry + missing / rate, rate

    def shared_at(self, now: float) -> bool:
        """Say whether somebody else was seen to feed it lately."""
        return now < self.sharing.until

    def fresh_at(self, now: float) -> bool:
        """Say whether nobody can have fed it much since its last reading."""
        return self.state is _READ and now - self.read_at <= _FRESH_SECONDS

    def trusted_at(self, now: float) -> bool:
        """Say whether its last reading is fresh enough to send bytes by."""
        trust = _TIMEOUTS_OF_TRUST * self.timeout_seconds
        if now < self.sharing.until:
            trust = min(trust, _FRESH_SECONDS)
        return self.state is _READ and now - self.read_at <= trust

    def room_at(self, now: float) -> int:
        """Return the bytes that fit for certain, a multiple of 3, less what sharing asks for."""
        reading = self.reading
        if reading is None or self.state is not _READ:
            return 0
        room = reading.capacity_bytes - reading.available_bytes
        if now < self.sharing.until:
            room -= reading.capacity_bytes // 16
        return room - room % GROUP_BYTES if room > 0 else 0

    @property
    def most_bytes(self) -> int:
        """Return the most that one visit may bring."""
        group = self.group
        if not self.losses.in_a_row and not group.losses_in_a_row:
            return group.max_add_bytes
        return self.losses.most_bytes(group.max_add_bytes, group.losses_in_a_row)

    def lose(self, reason: str, now: float) -> None:
        """Note that what a visit brought is lost."""
        self.losses.lost(reason, now)
        self.group.losses_in_a_row += 1

    def take_reading(self, reading: Reading, now: float) -> None:
        """Learn from a reading that ended a visit, or came between visits."""
        reading = reading.sane()
        if self.reading is not None and self.state is _READ:
            self._compare(self.reading, reading, now)
        else:
            self.drain.skip()
        self._settle_losses(reading, now)
        self.state, self.reason, self.setbacks, self.releases = _READ, "", 0, 0
        self.reading, self.read_at, self.contact_at = reading, now, now
        self.asked_at = self.begun_at
        self.readings += 1

    def _compare(self, before: Reading, after: Reading, now: float) -> None:
        seconds = now - self.read_at
        sent = self.visit_bytes or 0
        used = before.available_bytes + sent - after.available_bytes
        tolerance = _tolerance(after)
        if after.capacity_bytes != before.capacity_bytes or seconds < 0.0:
            self.drain.skip()
            return
        if used < -tolerance:
            if not self.drain.unsettled or after.available_bytes > self.undoubted_bytes + sent:
                self.sharing.rose(now)
            self.drain.skip()
            return
        self.undoubted_bytes = before.available_bytes + sent
        if sent and not self.taking.explains(
            used,
            sent,
            now - self.asked_at,
            peak_bytes_per_second=self.drain.peak,
            capacity_bytes=after.capacity_bytes,
            now=now,
        ):
            self.drain.skip()
            return
        if before.available_bytes:
            self.drain.add(max(0, used), seconds, hidden=self.shared_at(now))
        else:
            self.drain.skip()  # an empty host uses nothing, whatever it would use

    def _settle_losses(self, reading: Reading, now: float) -> None:
        losses = self.losses
        if self.visit_bytes:
            losses.doubtful_bytes = 0
        elif not losses.doubtful_bytes:
            return
        else:
            before = self.reading.available_bytes if self.reading else 0
            if not losses.have_shown(reading.available_bytes - before):
                self.lose(UNANSWERED, now)
                return
        losses.arrived()
        self.group.losses_in_a_row = 0

    def release(self, now: float) -> None:
        """Note that a visit did not happen."""
        if not self.releases or self.group.answered_at > self.released_at:
            self.releases += 1
        self.released_at = now

    def set_back(self, state: HostState, reason: str) -> None:
        """Leave the state in which it can be fed; a new reading brings it back."""
        self.setbacks = self.setbacks + 1 if self.state is state else 1
        self.state, self.reason = state, reason

    def schedule(self, now: float, policy: Policy) -> None:
        """Set the moments at which it will want bytes, and at which to look again."""
        reading = self.reading
        if reading is None:
            return
        level, capacity, drain = reading.available_bytes, reading.capacity_bytes, self.drain
        if self.readings > _READINGS_TO_KNOW:
            hosts = max(1, len(self.group.members))
            drain.others = self.group.peak_bytes_per_second / hosts
        near, possible = drain.near, drain.possible
        refill, watermark = policy.refill_below * capacity, reading.low_watermark_bytes
        least_room = GROUP_BYTES
        if self.steep:
            refill = policy.steep_refill_below * capacity
            least_room = policy.least_worth_bytes(capacity)
        self.dry_at = now + level / drain.until_used(level)
        if level > watermark:
            self.sinks_at = now + (level - watermark) / near
        else:  # one that is full waits for nothing, wherever its watermark is
            self.sinks_at = -math.inf if level < capacity else math.inf
        held = max(now, self.taking.held_until, self.losses.held_until)
        self.refill_at = max(held, now + (level - refill) / near)
        self.top_up_at = max(held, now + (level - policy.top_up_below * capacity) / near)
        third, floor = reading.inactive_source_timeout_seconds / 3.0, policy.min_look_seconds
        turn = self._turn
        lead = max((level - watermark) / (2.0 * possible), level / (8.0 * possible))
        if level > refill and self.room_at(now) < least_room:
            lead = min(lead, (level - refill) / possible)
        if level <= watermark and not drain.unsettled:
            floor = max(floor, min(third / 6.0, self.group.low / policy.low_looks_per_second))
        self.look_at = now + min(max(lead, floor), third * self._spread(turn))
        may_rise = level > refill and not self.topped_up and capacity - level > _tolerance(reading)
        if self.sharing.listens(turn, may_rise=may_rise):
            self.look_at = now + (self.look_at - now) / 2.0
            self.top_up_at = math.inf
        self.look_by = min(self.contact_at + 3.0 * third, self.dry_at)

    def _spread(self, turn: float) -> float:
        """Return a share of the longest interval that keeps looks from coming all at once."""
        least = 0.75 if self.readings > _READINGS_TO_KNOW else 0.25
        return least + (0.95 - least) * turn

    @property
    def _turn(self) -> float:
        """Return a number below 1 that is another one at every reading, and at every host."""
        return (self.phase + (self.serial + self.readings) * _GOLDEN) % 1.0


def _tolerance(reading: Reading) -> int:
    """Return the bytes by which a level may be off without a meaning."""
    return max(64, reading.capacity_bytes >> 10)
