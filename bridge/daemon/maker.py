"""Makes sources and vCenters from their tables; nothing of them runs yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.feed.site import Site
from bridge.source.latch import PinLatch
from bridge.source.logins import Logins
from bridge.source.supervisor import Source
from bridge.vcenter.client import VCenter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import structlog
    from pydantic import SecretStr

    from bridge.config import HsmConfig, VCenterConfig
    from bridge.feed.planner import Planner
    from bridge.telemetry.metrics import Metrics


class Maker:
    """Knows what all of them have in common."""

    def __init__(
        self,
        planner: Planner,
        metrics: Metrics,
        *,
        state_dir: Path | None,
        clock: Callable[[], float],
        log: structlog.stdlib.BoundLogger,
        wake: Callable[[], None],
    ) -> None:
        self._planner = planner
        self._metrics = metrics
        self._state_dir = state_dir
        self._clock = clock
        self._log = log
        self._wake = wake
        self._latches: dict[str, PinLatch] = {}
        self._logins = Logins()

    def latch(self, hsm: str) -> PinLatch:
        """Return the latch of this HSM, which outlives its sources."""
        return self._latches.setdefault(hsm, PinLatch(self._state_dir, hsm))

    def source(self, config: HsmConfig) -> Source:
        """Make a source."""
        return Source(config, latch=self.latch(config.name), logins=self._logins)

    def site(self, config: VCenterConfig, password: SecretStr) -> Site:
        """Make a vCenter, of whose hosts the planner knows nothing yet."""
        return Site(
            config,
            VCenter(config, password),
            self._planner,
            clock=self._clock,
            add_seconds=self._metrics.push_duration(config.name),
            log=self._log,
            wake=self._wake,
        )

    def forget(self, vcenter: str) -> None:
        """Show nothing more of a vCenter that is gone."""
        self._metrics.forget(vcenter)
