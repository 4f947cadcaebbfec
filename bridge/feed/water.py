"""Water-filling: how far scarce bytes lift those who would run dry first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROUNDING = 1e-9

Need: TypeAlias = tuple[float, float, float]
"""One host that wants bytes: its seconds to dry, those when refilled, its bytes per second."""


def common_seconds_to_dry(
    needs: Iterable[Need], budget_bytes: float, *, inflow: float = 0.0
) -> float:
    """Return the time to dry that all can be given; infinite if the bytes are enough for ever.

    There are budget_bytes now and `inflow` bytes per second from now on.
    """
    bends: list[tuple[float, float]] = []
    for to_dry, when_refilled, bytes_per_second in needs:
        if when_refilled > to_dry:
            bends.append((to_dry, bytes_per_second))
            if when_refilled < math.inf:
                bends.append((when_refilled, -bytes_per_second))
    bends.sort()
    slope = -inflow
    reached = 0.0
    left = budget_bytes
    for seconds, change in bends:
        cost = slope * (seconds - reached)
        if cost > left:
            return reached + left / slope
        left -= cost
        reached = seconds
        slope += change
    for_ever = slope <= _ROUNDING * max((abs(change) for _, change in bends), default=0.0)
    return math.inf if for_ever else reached + left / slope
