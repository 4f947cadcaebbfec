# SPDX-License-Identifier: Apache-2.0
"""Whether the machine was suspended: the boot clock runs on then, the monotonic one does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLIP_SECONDS = 1.0


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SuspendWatch:
    """Compares the two clocks with how they stood before."""

    __slots__ = ("_apart", "_boottime", "_monotonic")

    def __init__(
        self,
        boottime: Callable[[], float] = _boottime,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boottime = boottime
        self._monotonic = monotonic
        self._apart = boottime() - monotonic()

    def slipped(self) -> bool:
        """Whether the machine was suspended since the last call."""
        # Boot time is read first, so that a pause between the two hides a slip until the next
        # call rather than making one up.
        apart = self._boottime() - self._monotonic()
        if apart - self._apart <= SLIP_SECONDS:
            return False
        self._apart = apart
        return True
