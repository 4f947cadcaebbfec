"""What the player of a scenario is told and tells: one JSON document on one line each."""

from pydantic import BaseModel, ConfigDict

from bridge.twin.scenario import Scenario


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> bytes:
        """Return the message as it goes over the pipe."""
        return self.model_dump_json(by_alias=True).encode() + b"\n"


class PlayOrder(_Message):
    """What to play; `sites` is how many vCenters share the hosts, a datacenter each."""

    scenario: Scenario
    speed: float
    sites: int = 1


class Progress(_Message):
    """Where the scenario is; levels are fractions of the capacity."""

    at_seconds: float
    lowest_level: float
    n_low: int
    n_dry: int
    over: bool = False


class HostStory(_Message):
    """What became of one host. `lowest_late_bytes` is the lowest level of the judged time."""

    host: str
    name: str
    cluster: str | None
    state: str
    excused: bool
    capacity_bytes: int
    low_watermark_bytes: int
    level_bytes: int
    lowest_bytes: int
    lowest_late_bytes: int | None
    dry_count: int
    first_dry_seconds: float | None
    source_lost_count: int
    received_bytes: int
    accepted_bytes: int

    @property
    def lowest_level(self) -> float:
        """The lowest level as a fraction of the capacity."""
        return self.lowest_bytes / self.capacity_bytes

    @property
    def was_low_late(self) -> bool:
        """Whether it was under its watermark in the judged time."""
        late = self.lowest_late_bytes
        return late is not None and late < self.low_watermark_bytes


class PlayReport(_Message):
    """What became of the fleet."""

    hosts: tuple[HostStory, ...]
    n_requests: int
    answers: dict[str, int]
