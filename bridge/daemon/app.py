"""The bridge: sources, planner, pusher and vCenters, built from a configuration, kept running."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from bridge.config import ConfigError
from bridge.daemon.exits import Exit
from bridge.daemon.shape import Shape
from bridge.daemon.view import View, account_of
from bridge.feed.planner import Planner
from bridge.feed.policy import Policy
from bridge.feed.pusher import Pusher
from bridge.feed.site import LoginRefusedAtFirst, Site
from bridge.source.errors import SourceMisconfigured, SourceRefused
from bridge.source.supervisor import Source
from bridge.source.supply import Supplies
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.status import StatusError, StatusServer, status_app
from bridge.vcenter.client import VCenter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.config import BridgeConfig
    from bridge.daemon.sdnotify import Notifier
    from bridge.feed.pusher import Shape as FeedShape
    from bridge.source.supply import Supplier
    from bridge.telemetry.snapshot import Snapshot

    # What stands between the rings and the pusher: nothing, but in a rehearsal.
    Tap = Callable[[Supplier, FeedShape], tuple[Supplier, FeedShape]]

_STALLED_SECONDS = 20.0
_CLOSE_SECONDS = 8.0
_CRASH_PAUSE_SECONDS = 1.0
_STATUS_SECONDS = 5.0


class Bridge:
    """One bridge. `run` returns when it was stopped, or when nothing it could do is left."""

    def __init__(self, config: BridgeConfig, notifier: Notifier, tap: Tap | None = None) -> None:
        """Build everything and start nothing; raises ConfigError for an unreadable secret."""
        if not config.hsm or not config.vcenter:
            missing = "hsm" if not config.hsm else "vcenter"
            raise ConfigError(f"there is no [{missing}.NAME] table; run needs at least one")
        self._log = structlog.stdlib.get_logger()
        self._notifier = notifier
        self._clock = time.monotonic
        self._beat = self._clock()
        self._metrics = Metrics()
        self._planner = Planner(Policy(refill_below=config.feed.refill_below))
        self.sources = [Source(hsm, state_dir=config.state_dir) for hsm in config.hsm.values()]
        self._clients: list[VCenter] = []
        self.sites: dict[str, Site] = {}
        for name, vcenter in config.vcenter.items():
            client = VCenter(vcenter, vcenter.password(self._log.warning))
            self._clients.append(client)
            self.sites[name] = Site(
                vcenter,
                client,
                self._planner,
                clock=self._clock,
                add_seconds=self._metrics.push_duration(name),
                log=self._log,
                wake=self._wake,
            )
            self._planner.limit(name, self.sites[name].max_add_bytes)
        self.supply = Supplies([source.supply for source in self.sources])
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
        self._view = View(self._planner, self.sources, list(self.sites.values()))
        self._status: StatusServer | None = None
        if config.status is not None:
            app = status_app(config.status, self.snapshot, self._metrics, self._is_live)
            self._status = StatusServer(config.status, app)
        self._stop = asyncio.Event()
        self._was_ready = False

    @property
    def status_url(self) -> str | None:
        """Where the status page is, once `run` has begun."""
        return None if self._status is None else self._status.url

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stop.set()

    def snapshot(self) -> Snapshot:
        """Return the whole bridge as it is now."""
        return self._view.snapshot(self._clock(), tuple(self._reasons()))

    async def run(self) -> Exit:
        """Feed for ever."""
        if self._status is not None:
            try:
                await self._status.start()
            except StatusError as error:
                self._log.error(str(error))
                return Exit.CONFIGURATION
        pusher = asyncio.create_task(self._keep("pusher", self._pusher.run))
        others = [asyncio.create_task(self._keep("readiness", self._watch))]
        sources = {asyncio.create_task(self._source(source)) for source in self.sources}
        sites = {
            asyncio.create_task(self._keep(f"vcenter.{name}", site.run))
            for name, site in self.sites.items()
        }
        try:
            return await self._until_stopped(sources, sites)
        finally:
            self._notifier.stopping()
            await self._shut_down(pusher, [*others, *sites], sources)

    async def _until_stopped(
        self, sources: set[asyncio.Task[None]], sites: set[asyncio.Task[None]]
    ) -> Exit:
        """Wait for the end; what is refused stays refused, and the others go on."""
        stop = asyncio.create_task(self._stop.wait())
        try:
            while True:
                await asyncio.wait({stop, *sources, *sites}, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    return Exit.OK
                for task in [task for task in (*sources, *sites) if task.done()]:
                    sources.discard(task)
                    sites.discard(task)
                    error = task.exception()
                    self._log.error(str(error))
                    if isinstance(error, SourceMisconfigured):
                        return Exit.CONFIGURATION
                if not sources or not sites:
                    return Exit.REFUSED
        finally:
            stop.cancel()

    async def _shut_down(
        self,
        pusher: asyncio.Task[None],
        others: list[asyncio.Task[None]],
        sources: set[asyncio.Task[None]],
    ) -> None:
        self._pusher.stop()
        await asyncio.wait({pusher}, timeout=_CLOSE_SECONDS)
        for task in (pusher, *others):
            task.cancel()
        await asyncio.gather(pusher, *others, return_exceptions=True)
        closing = [client.close() for client in self._clients]
        closing += [source.stop() for source in self.sources]
        if self._status is not None:
            closing.append(self._status.stop())
        await asyncio.gather(*closing, *sources, return_exceptions=True)
        for source in self.sources:
            account = account_of(source.supply.account())
            fields = {name: getattr(account, name) for name in account.__dataclass_fields__}
            self._log.info("account", hsm=source.name, closes=account.closes, **fields)

    async def _source(self, source: Source) -> None:
        await self._keep(f"hsm.{source.name}", source.run)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run one loop for ever: a defect in it is logged, and it is begun anew."""
        while True:
            try:
                return await run()
            except (SourceRefused, SourceMisconfigured, LoginRefusedAtFirst):
                raise
            except Exception:  # noqa: BLE001 - the supervisor
                self._log.exception("a loop ended that should not have; begun anew", loop=name)
            await asyncio.sleep(_CRASH_PAUSE_SECONDS)

    async def _watch(self) -> None:
        """Say READY once, and keep the status line of the service true."""
        while True:
            reasons = self._reasons()
            if not reasons and not self._was_ready:
                self._was_ready = True
                self._log.info("ready", status=self.status_url)
                self._notifier.ready()
            self._notifier.status(reasons[0] if reasons else self._summary())
            await asyncio.sleep(_STATUS_SECONDS if self._was_ready else 0.1)

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
        return f"feeding {hosts} hosts; {up} of {len(self.sites)} vCenters answer"

    def _wake(self) -> None:
        self._pusher.wake()

    def _alive(self) -> None:
        self._beat = self._clock()
        self._notifier.alive()

    def _is_live(self) -> bool:
        return self._clock() - self._beat < _STALLED_SECONDS
