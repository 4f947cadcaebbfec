"""A scenario's fleet and everything that happens to it, on a clock that waits for its cue."""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bridge.twin.center import Center
from bridge.twin.clock import Clock
from bridge.twin.events import EventId
from bridge.twin.fleet import ConnectionState, Host, PowerState
from bridge.twin.options import TwinOptions
from bridge.twin.parameters import KIB, Parameters
from bridge.twin.scenario import Change, Scenario
from bridge.twin.scenario_report import HostStory, PlayOrder, PlayReport, Progress
from bridge.twin.scenario_scale import scaled_fault


class Cue:
    """Real seconds since the scenario began: 0 before, and never more than its length."""

    def __init__(self, length_seconds: float, source: Callable[[], float] = time.monotonic) -> None:
        self._length_seconds = length_seconds
        self._source = source
        self._began_at: float | None = None

    def begin(self) -> None:
        """Let time run."""
        self._began_at = self._source()

    def seconds(self) -> float:
        """Return how long it has been running."""
        if self._began_at is None:
            return 0.0
        return min(self._length_seconds, self._source() - self._began_at)

    @property
    def left_seconds(self) -> float:
        """How long it has still to run."""
        return self._length_seconds - self.seconds()

    @property
    def over(self) -> bool:
        """Whether time has come to its end and stands still again."""
        return self.left_seconds <= 0


class Happening(NamedTuple):
    """Something that happens at a moment of the hosts' time."""

    at_seconds: float
    act: Callable[[float], None]


def twin_options(order: PlayOrder) -> TwinOptions:
    """Return the twin that the scenario wants."""
    fleet = order.scenario.fleet
    return TwinOptions(
        hosts=fleet.hosts,
        clusters=max(fleet.clusters, order.sites),
        datacenters=order.sites,
        drain_bytes_per_second=fleet.drain_bytes_per_second,
        drain_profile=fleet.drain_profile,
        spread=fleet.spread,
        seed=fleet.seed,
        initial_level=fleet.initial_level,
        sources=fleet.sources,
        readings=fleet.chosen_readings(),
    )


class Stage:
    """Plays a scenario on the center of a twin that runs on `clock`."""

    def __init__(self, order: PlayOrder, center: Center, clock: Clock) -> None:
        """Prepare the hosts and all that will happen; time must stand still."""
        self._scenario = order.scenario
        self._speed = order.speed
        self._center = center
        self._clock = clock
        self._hosts = list(center.fleet.hosts.values())
        self._excused: set[str] = set()
        self._lowest_before: dict[str, int] = {}
        for host in self._hosts:
            self._prepare(host)
        self._happenings = deque(sorted(self._plan(), key=lambda it: it.at_seconds))

    def begin(self) -> None:
        """Let the faults' time begin."""
        faults = [scaled_fault(it, self._speed) for it in self._scenario.fault]
        self._center.faults.set(faults, self._clock.now())

    def next_seconds(self) -> float | None:
        """Return when the next thing happens; None for nothing more."""
        return self._happenings[0].at_seconds if self._happenings else None

    def act(self) -> None:
        """Let everything happen whose time has come."""
        now = self._clock.now()
        while self._happenings and self._happenings[0].at_seconds <= now:
            self._happenings.popleft().act(now)

    def end(self) -> None:
        """Let nothing go wrong any more, so that what is under way comes to its end."""
        self._center.faults.set([], self._clock.now())

    def progress(self, *, over: bool) -> Progress:
        """Return how the fleet is."""
        now = self._center.fleet.advance()
        judged = [it.pool for it in self._hosts if it.host not in self._excused]
        levels = [it.level_bytes / it.capacity_bytes for it in judged]
        return Progress(
            at_seconds=now,
            lowest_level=min(levels, default=0.0),
            n_low=sum(it.level_bytes < it.low_watermark_bytes for it in judged),
            n_dry=sum(it.dry_count > 0 for it in judged),
            over=over,
        )

    def report(self) -> PlayReport:
        """Return what became of everyone."""
        now = self._center.fleet.advance()
        for host in self._hosts:
            host.entropyd.advance(now)
        lost = Counter(
            event.host
            for event in self._center.fleet.events.since(0)
            if event.event_id is EventId.SOURCE_DISCONNECTED
        )
        counts = self._center.counts
        return PlayReport(
            hosts=tuple(self._story(it, lost[it.host]) for it in self._hosts),
            n_requests=counts.requests,
            answers=counts.answers,
        )

    def _prepare(self, host: Host) -> None:
        fleet = self._scenario.fleet
        parameters = Parameters(
            memory_cache_size=fleet.capacity // KIB,
            memory_cache_low_watermark=fleet.low_watermark_percent,
            external_entropy_lost_timeout=fleet.inactive_source_timeout_seconds,
        )
        pool = host.pool
        level = pool.level_bytes / pool.capacity_bytes
        host.entropyd.set_parameters(parameters, 0.0)
        pool.set_level(max(1, round(level * pool.capacity_bytes)), 0.0)
        pool.lowest_bytes = pool.level_bytes
        pool.dry_spells.clear()
        pool.dry_count = 0

    def _plan(self) -> Iterator[Happening]:
        late = self._scenario.criteria.no_host_low_after_seconds
        if late is not None:
            yield Happening(late, self._judge_from_now)
        for index, change in enumerate(self._scenario.change):
            hosts = self._chosen(change, index)
            if change.takes_away:
                self._excused.update(it.host for it in hosts)
            yield Happening(change.at_seconds, _applying(change, hosts, self._center))
            if change.for_seconds is not None:
                end = change.at_seconds + change.for_seconds
                yield Happening(end, _undoing(change, hosts, self._scenario))

    def _chosen(self, change: Change, index: int) -> list[Host]:
        inventory = self._center.fleet.inventory
        found = [
            it
            for it in self._hosts
            if (not change.hosts or it.host in change.hosts)
            and (
                not change.clusters
                or (it.cluster and inventory.clusters[it.cluster].name in change.clusters)
            )
        ]
        if change.share == 1.0:
            return found
        dice = random.Random(self._scenario.fleet.seed * 1009 + index)  # noqa: S311
        return dice.sample(found, max(1, round(change.share * len(found)))) if found else []

    def _judge_from_now(self, now: float) -> None:
        self._center.fleet.advance()
        for host in self._hosts:
            host.entropyd.advance(now)
            self._lowest_before[host.host] = host.pool.lowest_bytes
            host.pool.lowest_bytes = host.pool.level_bytes

    def _story(self, host: Host, source_lost_count: int) -> HostStory:
        pool = host.pool
        before = self._lowest_before.get(host.host)
        spells = pool.dry_spells
        return HostStory(
            host=host.host,
            name=host.name,
            cluster=host.cluster,
            state=host.entropyd.state.value,
            excused=host.host in self._excused,
            capacity_bytes=pool.capacity_bytes,
            low_watermark_bytes=pool.low_watermark_bytes,
            level_bytes=pool.level_bytes,
            lowest_bytes=pool.lowest_bytes if before is None else min(before, pool.lowest_bytes),
            lowest_late_bytes=None if before is None else pool.lowest_bytes,
            dry_count=pool.dry_count,
            first_dry_seconds=spells[0].start_seconds if spells else None,
            source_lost_count=source_lost_count,
            received_bytes=pool.accepted_bytes + pool.stored_bytes + pool.discarded_bytes,
            accepted_bytes=pool.accepted_bytes + pool.stored_bytes,
        )


def _applying(change: Change, hosts: list[Host], center: Center) -> Callable[[float], None]:
    first = {it.host: it.demand for it in hosts}

    def apply(now: float) -> None:
        for host in hosts:
            demand = first[host.host]
            if change.drain_factor is not None or change.drain_profile is not None:
                factor = 1.0 if change.drain_factor is None else change.drain_factor
                profile = change.drain_profile or demand.profile
                host.set_drain(profile, demand.bytes_per_second * factor, now)
            if change.level is not None:
                level = max(1, round(change.level * host.pool.capacity_bytes))
                host.pool.set_level(level, now)
            if change.connection_state is not None:
                host.connection_state = change.connection_state
            if change.power_state is not None:
                host.set_power(change.power_state, now)
            if change.reboot:
                host.entropyd.reboot(now)
            if change.remove and host.host in center.fleet.hosts:
                center.fleet.remove_host(host.host)

    return apply


def _undoing(change: Change, hosts: list[Host], scenario: Scenario) -> Callable[[float], None]:
    profile = scenario.fleet.drain_profile
    first = {it.host: it.demand.bytes_per_second for it in hosts}

    def undo(now: float) -> None:
        for host in hosts:
            if change.drain_factor is not None or change.drain_profile is not None:
                host.set_drain(profile, first[host.host], now)
            if change.connection_state is not None:
                host.connection_state = ConnectionState.CONNECTED
            if change.power_state is not None:
                host.set_power(PowerState.POWERED_ON, now)

    return undo
