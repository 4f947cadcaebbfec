"""What a rehearsal plays: a fleet, what happens to it over time, and what must come out.

All times are seconds of the hosts' time since the scenario began, all rates bytes per such second.
"""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridge.config.values import GIB, KIB, Size, Text, size_text
from bridge.twin.drain import DrainProfile
from bridge.twin.failure import TwinError
from bridge.twin.faults import FaultKind, FaultRule
from bridge.twin.fleet import ConnectionState, PowerState
from bridge.twin.readings import Readings
from bridge.twin.sources import ENTROPYD, EXTERNAL_ONLY, MOST_SOURCES

Moment = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Span = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Level = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Profile = Annotated[DrainProfile, Field(strict=False)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class FleetTable(_Table):
    """The hosts, long installed and running; host-1001 and up, dealt out over cluster-01 and up."""

    hosts: Annotated[int, Field(ge=1, le=10_000)] = 200
    clusters: Annotated[int, Field(ge=1, le=500)] = 4
    drain_bytes_per_second: Amount = 1024.0
    drain_profile: Profile = DrainProfile.CONSTANT
    spread: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    initial_level: Level = 0.6
    seed: int = 1
    capacity: Annotated[int, Size(16 * KIB, GIB)] = 512 * KIB
    low_watermark_percent: Annotated[int, Field(ge=1, le=99)] = 20
    inactive_source_timeout_seconds: Annotated[int, Field(ge=3, le=86_400)] = 60
    sources: Annotated[int, Field(ge=ENTROPYD, le=MOST_SOURCES)] = EXTERNAL_ONLY
    readings: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.capacity % KIB:
            raise ValueError(f"capacity = {size_text(self.capacity)} is not a number of KiB")
        try:
            self.chosen_readings()
        except TwinError as error:
            raise ValueError(str(error)) from None
        return self

    def chosen_readings(self) -> Readings:
        """Return the default readings with those that are named here."""
        readings = Readings()
        for name, value in self.readings.items():
            readings = readings.choose(f"{name}={value}")
        return readings

    @property
    def total_drain_bytes_per_second(self) -> float:
        """What all hosts use together, on average and before any change."""
        return self.hosts * self.drain_bytes_per_second


class HsmStep(_Table):
    """What the HSM gives at most from a moment on; a real one may still give less."""

    at_seconds: Moment = 0.0
    bytes_per_second: Amount | None = None
    share_of_drain: Amount | None = None
    unlimited: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.bytes_per_second is not None, self.share_of_drain is not None, self.unlimited]
        if sum(given) != 1:
            raise ValueError(
                "wants one of bytes_per_second, share_of_drain (of what the fleet uses) and "
                "unlimited = true"
            )
        return self


class Change(_Table):
    """What happens to some hosts; the lists and the share narrow each other, none is all hosts.

    After `for_seconds` drain, connection and power are as they were in the beginning.
    """

    at_seconds: Moment
    for_seconds: Span | None = None
    clusters: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    hosts: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    share: Level = 1.0
    drain_factor: Amount | None = None
    drain_profile: Profile | None = None
    connection_state: Annotated[ConnectionState, Field(strict=False)] | None = None
    power_state: Annotated[PowerState, Field(strict=False)] | None = None
    level: Level | None = None
    reboot: bool = False
    remove: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        lasting = (self.drain_factor, self.drain_profile, self.connection_state, self.power_state)
        lasts = any(it is not None for it in lasting)
        if not (lasts or self.level is not None or self.reboot or self.remove):
            raise ValueError(
                "changes nothing; set drain_factor, drain_profile, connection_state, power_state, "
                "level, reboot or remove"
            )
        if self.for_seconds is not None and not lasts:
            raise ValueError("for_seconds is for drain_factor, drain_profile and the states")
        return self

    @property
    def takes_away(self) -> bool:
        """Whether no bridge can save a host from this."""
        states = self.connection_state is not None or self.power_state is not None
        return states or self.reboot or self.remove


class Criteria(_Table):
    """What must hold. A host that the scenario itself takes away is judged by none of the levels.

    `wasted_at_most` is a fraction of what was sent; an overdue look is one later than a third of
    the host's inactive_source_timeout, by so many seconds.
    """

    no_host_dry: bool = True
    no_host_low_after_seconds: Moment | None = None
    no_source_lost: bool = False
    wasted_at_most: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = 0.001
    looks_overdue_at_most_seconds: Amount | None = None
    account_closes: bool = True


class Scenario(_Table):
    """One rehearsal. `speed` is how many times faster than real it may be played by default."""

    title: Text
    description: Text
    duration_seconds: Annotated[float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)]
    speed: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    fleet: FleetTable = FleetTable()
    hsm: Annotated[tuple[HsmStep, ...], Field(strict=False)] = ()
    change: Annotated[tuple[Change, ...], Field(strict=False)] = ()
    fault: Annotated[tuple[FaultRule, ...], Field(strict=False)] = ()
    criteria: Criteria = Field(default=Criteria(), alias="pass")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.speed > self.most_speed:
            raise ValueError(
                f"speed = {self.speed:g} is more than {self.most_speed:g}, a third of the hosts' "
                "inactive_source_timeout_seconds"
            )
        steps = [it.at_seconds for it in self.hsm]
        if any(later <= before for before, later in pairwise(steps)):
            raise ValueError("the [[hsm]] steps must come in the order of their at_seconds")
        self._within("hsm", steps)
        self._within("change", [it.at_seconds for it in self.change])
        self._within("fault", [it.after_seconds for it in self.fault])
        if any(it.kind is FaultKind.VANISH for it in self.fault):
            raise ValueError("fault: use [[change]] with remove = true for hosts that vanish")
        if any(it.kind is FaultKind.JUMP_TIME for it in self.fault):
            raise ValueError("fault: time cannot jump in a scenario, which has its own clock")
        if self.criteria.no_host_low_after_seconds is not None:
            self._within("pass", [self.criteria.no_host_low_after_seconds])
        self._named()
        return self

    @property
    def most_speed(self) -> float:
        """How fast it may be played: the bridge looks at a host once a second at most."""
        return self.fleet.inactive_source_timeout_seconds / 3

    def resized(self, *, hosts: int | None = None, seed: int | None = None) -> "Scenario":
        """Return the same for another fleet; ValidationError if it names hosts that are missing."""
        given = {"hosts": hosts, "seed": seed}
        tables = self.model_dump(by_alias=True)
        tables["fleet"] |= {name: value for name, value in given.items() if value is not None}
        return Scenario.model_validate(tables)

    def hsm_bytes_per_second(self, step: HsmStep) -> float | None:
        """Return the rate of a step; None for no limit."""
        if step.share_of_drain is not None:
            return step.share_of_drain * self.fleet.total_drain_bytes_per_second
        return step.bytes_per_second

    def _within(self, table: str, moments: list[float]) -> None:
        late = [it for it in moments if it >= self.duration_seconds]
        if late:
            raise ValueError(
                f"{table}: {late[0]:g} s is not before the end, duration_seconds = "
                f"{self.duration_seconds:g}"
            )

    def _named(self) -> None:
        clusters = [f"cluster-{n:02d}" for n in range(1, self.fleet.clusters + 1)]
        hosts = [f"host-{1000 + n}" for n in range(1, self.fleet.hosts + 1)]
        for table, known, named in (
            ("change", clusters, [name for it in self.change for name in it.clusters]),
            ("change", hosts, [name for it in self.change for name in it.hosts]),
            ("fault", hosts, [name for it in self.fault for name in sorted(it.hosts)]),
        ):
            unknown = [name for name in named if name not in set(known)]
            if unknown:
                raise ValueError(
                    f"{table}: there is no {unknown[0]}; they are {known[0]} to {known[-1]}"
                )
