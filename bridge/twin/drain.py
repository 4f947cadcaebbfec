"""How fast a host uses entropy: pure functions of time and seed, so that time may jump."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

_MASK = (1 << 64) - 1


class Flow(NamedTuple):
    """A rate that holds until the given moment of the twin's time."""

    bytes_per_second: float
    until_seconds: float


class Drain(Protocol):
    """What takes entropy out of a pool."""

    def flow(self, at_seconds: float) -> Flow:
        """Return the rate at a moment and how long it stays the same (always later)."""
        ...


class DrainProfile(StrEnum):
    """The shapes a drain can have; all take the same amount in the long run."""

    CONSTANT = "constant"
    BURSTY = "bursty"
    HEAVY_TAILED = "heavy-tailed"


def uniform(seed: int, index: int) -> float:
    """Return a number in [0, 1) that depends on seed and index alone (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + index * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


@dataclass(frozen=True)
class ConstantDrain:
    """The same rate for ever."""

    mean_bytes_per_second: float

    def flow(self, at_seconds: float) -> Flow:  # noqa: ARG002
        """Return the one rate there is."""
        return Flow(self.mean_bytes_per_second, math.inf)


@dataclass(frozen=True)
class BurstyDrain:
    """One burst in each cell of time, at a place of its own, with most of the demand in it."""

    mean_bytes_per_second: float
    seed: int
    cell_seconds: float = 20.0
    burst_seconds: float = 2.0
    burst_share: float = 0.8

    def flow(self, at_seconds: float) -> Flow:
        """Return the rate before, in or after this cell's burst."""
        index = math.floor(at_seconds / self.cell_seconds)
        start = index * self.cell_seconds
        free = self.cell_seconds - self.burst_seconds
        burst_start = start + uniform(self.seed, index) * free
        burst_end = burst_start + self.burst_seconds
        demand = self.mean_bytes_per_second * self.cell_seconds
        quiet = demand * (1 - self.burst_share) / free
        if at_seconds < burst_start:
            return Flow(quiet, burst_start)
        if at_seconds < burst_end:
            return Flow(demand * self.burst_share / self.burst_seconds, burst_end)
        return Flow(quiet, _later(start + self.cell_seconds, at_seconds))


@dataclass(frozen=True)
class HeavyTailedDrain:
    """A Pareto rate for each cell of time: mostly little, now and then very much."""

    mean_bytes_per_second: float
    seed: int
    cell_seconds: float = 5.0
    shape: float = 1.5
    most: float = 60.0

    def flow(self, at_seconds: float) -> Flow:
        """Return this cell's rate, at most `most` times the smallest."""
        index = math.floor(at_seconds / self.cell_seconds)
        # Mean of a Pareto variable of scale 1 that is cut off at `most`.
        a, top = self.shape, self.most
        mean = (a / (a - 1)) * (1 - top ** (1 - a)) + top ** (1 - a)
        draw = min(top, (1.0 - uniform(self.seed, index)) ** (-1 / a))
        end = _later((index + 1) * self.cell_seconds, at_seconds)
        return Flow(self.mean_bytes_per_second * draw / mean, end)


def _later(end: float, at: float) -> float:
    # A rounding of the cell's end down to `at` itself would make time stand still.
    return end if end > at else math.nextafter(at, math.inf)


def make_drain(profile: DrainProfile, mean_bytes_per_second: float, seed: int) -> Drain:
    """Return the drain of that shape and mean."""
    if mean_bytes_per_second < 0 or not math.isfinite(mean_bytes_per_second):
        raise ValueError("a drain must be finite and not negative")
    if profile is DrainProfile.BURSTY:
        return BurstyDrain(mean_bytes_per_second, seed)
    if profile is DrainProfile.HEAVY_TAILED:
        return HeavyTailedDrain(mean_bytes_per_second, seed)
    return ConstantDrain(mean_bytes_per_second)
