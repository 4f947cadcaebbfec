"""How much of the clairvoyant bound needs foresight: what the best can do that sees and knows all.

It sees every host's level and use at every moment and without delay, knows how bursts come and how
long they last on average, and does not know the dice. Bytes in a host cannot be taken back, so for
the next w seconds it has to place them before it knows who will burst. Bursts have no memory, so
nothing beyond the present state helps. The best placement of the bytes that are left, then, leaves
the least expected shortfall, which is where hosts in the same state get the same level and one more
byte is as likely to be used in either state; reserve and inflow must cover it. It may place all
bytes anew at every moment, which no planner can, so this too is a bound from above.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.planner.scenarios import BURST, CALM, Spell
from tests.support.clairvoyant import used_by

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks.planner.scenarios import Scenario

    Floats = npt.NDArray[np.float64]

_SPANS_SECONDS = (2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 90.0, 150.0, 250.0)
_SAMPLES = 20_000
_LIKELIHOODS = np.linspace(0.0, 1.0, 201)
"""That another byte is used; below where that is certain it does not matter who gets it."""


class Placing(NamedTuple):
    """For one state, and for every likelihood that another byte is used: level and shortfall."""

    levels: Floats
    shortfalls: Floats


def unforeseen_seconds(scenario: Scenario, limit: float) -> float:
    """Return up to when nobody has to run dry if bursts are seen and not foreseen."""
    hosts, supply, _ = scenario.build()
    times = np.arange(0.0, limit, 2.0)
    used = np.array([used_by(host.segments, times) for host in hosts])
    soon = np.array([used_by(host.segments, times + 1e-3) for host in hosts])
    bursting = ((soon - used) > 2e-3 * CALM.bytes_per_second).sum(axis=0)
    made = np.array([supply.total(moment) for moment in times])
    left = _left(scenario, made - used.sum(axis=0))
    first = math.inf
    for span in _SPANS_SECONDS:
        calm, steep = _placing(CALM, BURST, span), _placing(BURST, CALM, span)
        for moment, total, n_steep in zip(times, left, bursting, strict=True):
            n_calm = len(hosts) - n_steep
            reserve = min(supply.capacity, max(0.0, total))
            placed = n_calm * calm.levels + n_steep * steep.levels
            lacking = n_calm * calm.shortfalls + n_steep * steep.shortfalls
            least = float(np.interp(max(0.0, total - reserve), placed[::-1], lacking[::-1]))
            if least > reserve + supply.total(moment + span) - supply.total(moment):
                first = min(first, moment + span)
                break
    return first


def _left(scenario: Scenario, gained: Floats) -> Floats:
    """Return what hosts and reserve can hold at each moment, given what they gained until then."""
    hosts, supply, _ = scenario.build()
    most = sum(host.capacity for host in hosts) + supply.capacity
    total = sum(host.level for host in hosts) + supply.level
    left = [total]
    for gain in np.diff(gained):
        total = min(most, total + gain)
        left.append(total)
    return np.array(left)


def _placing(now: Spell, then: Spell, span: float) -> Placing:
    """Work out levels and shortfalls for hosts that are in one spell and will fall into another."""
    dice = np.random.default_rng(1)
    left, used = np.full(_SAMPLES, span), np.zeros(_SAMPLES)
    while left.any():
        seconds = np.minimum(left, dice.exponential(now.mean_seconds, _SAMPLES))
        used += seconds * now.bytes_per_second
        left -= seconds
        now, then = then, now
    levels = np.append(np.quantile(used, 1.0 - _LIKELIHOODS), 0.0)
    shortfalls = np.array([np.maximum(0.0, used - level).mean() for level in levels])
    return Placing(levels, shortfalls)
