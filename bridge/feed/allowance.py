"""What one vCenter may be sent: so many bytes in one request, and under a cap per second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.feed.fitting import Fitting
from bridge.source.bucket import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    import structlog

    from bridge.config import VCenterConfig
    from bridge.feed.planner import Planner


class Allowance:
    """Keeps one vCenter's cap, and tells the planner how large requests may be. Bytes are raw."""

    def __init__(
        self,
        config: VCenterConfig,
        planner: Planner,
        *,
        clock: Callable[[], float],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        cap = config.max_bytes_per_second
        self.max_add_bytes = _max_add_bytes(config)
        self._name = config.name
        self._planner = planner
        self._clock = clock
        self._log = log
        self._cap = None if cap is None else Bucket(cap, clock)
        self._fitting = Fitting(self.max_add_bytes)
        self._told_bytes = self.max_add_bytes

    def change(self, config: VCenterConfig, now: float) -> None:
        """Go by another cap and another size; what the vCenter was found to take goes with that."""
        cap = config.max_bytes_per_second
        if cap is None:
            self._cap = None
        elif self._cap is None:
            self._cap = Bucket(cap, self._clock)
        else:
            self._cap.change(cap)
        before, self.max_add_bytes = self.max_add_bytes, _max_add_bytes(config)
        if self.max_add_bytes != before:
            self._fitting = Fitting(self.max_add_bytes)
            self._tell(now)
        self._planner.cap(self._name, cap)

    def is_open(self) -> bool:
        """Whether the cap lets a request begin."""
        return self._cap is None or self._cap.allowance() > 0

    def opens_at(self) -> float:
        """When it does; in the past if it does now."""
        return float("-inf") if self._cap is None else self._cap.opens_at(1)

    def begun(self, n_bytes: int, now: float) -> None:
        """Count a request."""
        if self._cap is not None:
            self._cap.take(n_bytes)
        self._fitting.begun(n_bytes, now)
        self._tell(now)

    def unsent(self, n_bytes: int) -> None:
        """Count one as not sent after all."""
        if self._cap is not None:
            self._cap.give_back(n_bytes)

    def accepted(self, n_bytes: int, now: float) -> None:
        """Note that so much fits into a request."""
        self._fitting.accepted(n_bytes, now)
        self._tell(now)

    def refused(self, n_bytes: int, now: float) -> None:
        """Note a 413."""
        self._fitting.refused(n_bytes, now)
        self._tell(now)

    def _tell(self, now: float) -> None:
        """Let requests be as large as seems to fit now."""
        n_bytes = self._fitting.allowed_bytes(now)
        if n_bytes != self._told_bytes:
            self._log.info("another limit for the size of requests", bytes=n_bytes)
            self._told_bytes = n_bytes
            self._planner.limit(self._name, n_bytes)


def _max_add_bytes(config: VCenterConfig) -> int:
    """Under a cap no more than a second's worth."""
    cap = config.max_bytes_per_second
    return config.max_add_bytes if cap is None else min(config.max_add_bytes, cap)
