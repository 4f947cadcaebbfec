"""How long nobody runs dry if somebody knows every drain and every outage beforehand.

Whoever decides can do no better than this: hosts are looked at without delay, bytes arrive at once,
and nothing is spent before it must be. What is known ahead counts in full; a decider that cannot
know it may be unable to come near.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from tests.support.virtual_fleet import Segments, VirtualHost, VirtualSupply

_FIRST_STEPS = 2000


def clairvoyant_seconds(
    hosts: Sequence[VirtualHost],
    supply: VirtualSupply,
    *,
    keep: float = 0.0,
    limit: float = 1e5,
    step: float = 1.0,
    anew: Iterable[float] = (),
) -> float:
    """Return how long every host can be kept above `keep` of its capacity.

    That is the first T at which the shortfalls, summed up, are more than reserve and inflow. It is
    counted from the start, and also from each of the moments `anew`, at which nobody can have more
    than full hosts and a full ring. Hosts and supply must be as they are before a run.
    """
    steps = _FIRST_STEPS
    while True:
        times = np.arange(min(steps, math.ceil(limit / step)) + 1) * step
        used = np.array([used_by(host.segments, times) for host in hosts])
        made = np.array([supply.total(moment) for moment in times])
        levels = np.array([host.level - keep * host.capacity for host in hosts])
        full = np.array([(1.0 - keep) * host.capacity for host in hosts])
        firsts = [_first_shortfall(times, used, made, levels, supply.level)]
        for moment in anew:
            at = math.ceil(moment / step)
            if at < len(times):
                rest = times[at:], used[:, at:], made[at:]
                firsts.append(_first_shortfall(*rest, full, supply.capacity))
        if min(firsts) < math.inf or times[-1] >= limit:
            return min(firsts)
        steps *= 4


def used_by(segments: Segments, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the bytes that segments use up to each of the times, which ascend from 0."""
    ends, used = [0.0], [0.0]
    for seconds, bytes_per_second in segments():
        span = min(seconds, times[-1] - ends[-1])
        ends.append(ends[-1] + span)
        used.append(used[-1] + span * bytes_per_second)
        if ends[-1] >= times[-1]:
            break
    return np.interp(times, ends, used)


def _first_shortfall(
    times: npt.NDArray[np.float64],
    used: npt.NDArray[np.float64],
    made: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    reserve: float,
) -> float:
    """Return when reserve and inflow no longer cover what hosts with these levels lack."""
    lacking = used - used[:, :1] - levels[:, np.newaxis]
    np.maximum(lacking, 0.0, out=lacking)
    margin = reserve + made - made[0] - lacking.sum(axis=0)
    short = int(np.argmax(margin < 0.0))
    if margin[short] >= 0.0:
        return math.inf
    if short == 0:
        return float(times[0])
    before, after = margin[short - 1], margin[short]
    return float(times[short] - (times[short] - times[short - 1]) * after / (after - before))
