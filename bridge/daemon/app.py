"""The bridge: sources, planner, pusher and vCenters, built from a configuration, kept running."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import structlog

from bridge.config import ConfigError
from bridge.daemon.behind import Behind
from bridge.daemon.crew import Crew
from bridge.daemon.exits import Exit
from bridge.daemon.face import Face
from bridge.daemon.keep import keep
from bridge.daemon.maker import Maker
from bridge.daemon.reload import Reloader
from bridge.daemon.shape import Shape
from bridge.daemon.unfed import Unfed
from bridge.daemon.view import View
from bridge.feed.planner import Planner
from bridge.feed.policy import Policy
from bridge.feed.pusher import Pusher
from bridge.feed.standing import SiteState
from bridge.telemetry import log
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.status import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bridge.config import BridgeConfig
    from bridge.daemon.reload import Read
    from bridge.daemon.sdnotify import Notifier
    from bridge.feed.decision import HostKey
    from bridge.feed.pusher import Shape as FeedShape
    from bridge.source.supply import Supplier
    from bridge.telemetry.snapshot import Snapshot

    # What stands between the rings and the pusher: nothing, but in a rehearsal.
    Tap = Callable[[Supplier, FeedShape], tuple[Supplier, FeedShape]]

_STALLED_SECONDS = 20.0
_CLOSE_SECONDS = 8.0
_STATUS_SECONDS = 5.0


class Bridge:
    """One bridge. `run` returns when it was stopped, or when nothing it could do is left."""

    def __init__(
        self,
        config: BridgeConfig,
        notifier: Notifier,
        tap: Tap | None = None,
        read: Read | None = None,
    ) -> None:
        """Build everything and start nothing; raises ConfigError for an unreadable secret.

        `read` gives the configuration anew for a reload; without it there are none.
        """
        if not config.hsm or not config.vcenter:
            missing = "hsm" if not config.hsm else "vcenter"
            raise ConfigError(f"there is no [{missing}.NAME] table; run needs at least one")
        self._config = config
        self._log = structlog.stdlib.get_logger()
        self._notifier = notifier
        self._clock = time.monotonic
        self._beat = self._clock()
        self._metrics = Metrics()
        policy = Policy(refill_below=config.feed.refill_below)
        self._planner = Planner(policy, phase=random.SystemRandom().random())
        maker = Maker(
            self._planner,
            self._metrics,
            state_dir=config.state_dir,
            clock=self._clock,
            log=self._log,
            wake=self._wake,
        )
        self._crew = Crew(self._planner, self._log, self._end)
        for hsm in config.hsm.values():
            self._crew.add_source(maker.source(hsm))
        for vcenter in config.vcenter.values():
            password = vcenter.password()
            self._crew.add_site(maker.site(vcenter, password))
        self.sources, self.sites = self._crew.sources, self._crew.sites
        self.supply = self._crew.supply
        supply: Supplier = self.supply
        shape: FeedShape = Shape(self.sources)
        if tap is not None:
            supply, shape = tap(supply, shape)
        self._pusher = Pusher(
            self._planner,
            supply,
            shape,
            self.sites,
            clock=self._clock,
            bytes_in_flight=config.feed.bytes_in_flight,
            alive=self._alive,
        )
        self._behind = Behind()
        self._view = View(self._planner, self.sources, self.sites, self._behind)
        self._face = Face(self.snapshot, self._metrics, self._is_live)
        self._reloader = Reloader(
            config,
            read or (lambda _warn: config),
            crew=self._crew,
            maker=maker,
            face=self._face,
            apply=self._apply,
            notifier=notifier,
            log=self._log,
        )
        self._stop = asyncio.Event()
        self._exit = Exit.OK
        self._was_ready = False

    @property
    def status_url(self) -> str | None:
        """Where the status page is, once `run` has begun."""
        return self._face.url

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stop.set()

    def reload(self) -> None:
        """Read the configuration anew and put it in force, whole or not at all."""
        self._reloader.ask()

    def snapshot(self) -> Snapshot:
        """Return the whole bridge as it is now."""
        return self._view.snapshot(self._clock(), self._reloader.row, tuple(self._reasons()))

    async def run(self) -> Exit:
        """Feed for ever."""
        if self._config.status is not None:
            try:
                self._face.switch(None, await self._face.made(self._config.status))
            except StatusError as error:
                self._log.error(str(error))
                return Exit.FAILURE  # the address may be there, or free, when it is tried again
        pusher = self._kept("pusher", self._pusher.run)
        others = [
            self._kept("readiness", self._watch),
            self._kept("reload", self._reloader.run),
        ]
        self._crew.begin()
        try:
            await self._stop.wait()
        finally:
            self._notifier.stopping()
            await self._shut_down(pusher, others)
        return self._exit

    async def _shut_down(
        self, pusher: asyncio.Task[None], others: list[asyncio.Task[None]]
    ) -> None:
        self._pusher.stop()
        await asyncio.wait({pusher}, timeout=_CLOSE_SECONDS)
        for task in (pusher, *others):
            task.cancel()
        await asyncio.gather(pusher, *others, return_exceptions=True)
        await asyncio.gather(self._crew.close(), self._face.close())

    def _kept(
        self, name: str, run: Callable[[], Coroutine[None, None, None]]
    ) -> asyncio.Task[None]:
        return asyncio.create_task(keep(name, run, self._log))

    def _end(self, code: Exit) -> None:
        self._exit = code
        self._stop.set()

    def _apply(self, config: BridgeConfig) -> None:
        """Go by what a reloaded configuration says of the bridge itself."""
        self._config = config
        log.set_up(config.log)
        self._planner.obey(Policy(refill_below=config.feed.refill_below), self._clock())
        self._pusher.bytes_in_flight_limit = config.feed.bytes_in_flight
        self._pusher.wake()

    async def _watch(self) -> None:
        """Say READY once, and keep the status line of the service true."""
        unfed = Unfed(self._log, self._name_of)
        while True:
            reasons = self._reasons()
            if not reasons and not self._was_ready:
                self._was_ready = True
                self._log.info("ready", status=self.status_url)
                self._notifier.ready()
            if self._was_ready:
                outlook = self._planner.outlook(self._clock())
                unfed.look(outlook, self._clock())
                up = {name for name, site in self.sites.items() if site.state is SiteState.UP}
                self._behind.look(host for host in outlook if host.key[0] in up)
            self._notifier.status(reasons[0] if reasons else self._summary())
            await asyncio.sleep(_STATUS_SECONDS if self._was_ready else 0.1)

    def _name_of(self, host: HostKey) -> str:
        """Return how vCenter calls it, as long as it lists it."""
        site = self.sites.get(host[0])
        return host[1] if site is None else site.names.get(host[1], host[1])

    def _reasons(self) -> list[str]:
        """Why the bridge is not ready; a vCenter that is down is none of its business."""
        reasons = []
        if not self._is_live():
            reasons.append("the scheduling loop does not make progress")
        if not any(source.is_running for source in self.sources):
            words = [f"{s.name} {s.status().last_error or 'is starting'}" for s in self.sources]
            reasons.append("no source is running: " + "; ".join(words))
        return reasons

    def _summary(self) -> str:
        sites = self.sites.values()
        hosts = sum(len(site.names) for site in sites)
        up = sum(not site.last_error for site in sites)
        refused = "; the last reload was refused" if self._reloader.row.reload_error else ""
        return f"feeding {hosts} hosts; {up} of {len(self.sites)} vCenters answer{refused}"

    def _wake(self) -> None:
        self._pusher.wake()

    def _alive(self) -> None:
        self._beat = self._clock()
        self._notifier.alive()

    def _is_live(self) -> bool:
        return self._clock() - self._beat < _STALLED_SECONDS
