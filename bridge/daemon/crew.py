"""The sources and vCenters at work, each with the task that keeps it going: in and out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from bridge.daemon.exits import Exit
from bridge.daemon.keep import keep
from bridge.daemon.view import account_of
from bridge.feed.site import Site
from bridge.source.errors import SourceMisconfigured
from bridge.source.supervisor import Source
from bridge.source.supply import Supplies

if TYPE_CHECKING:
    from collections.abc import Callable

    import structlog

    from bridge.feed.planner import Planner

Member: TypeAlias = Source | Site


class Crew:
    """Who works now. `over` is called when nothing that is left could do the work.

    `sources`, `sites` and `supply` are the same objects for ever; what is in them changes.
    """

    def __init__(
        self, planner: Planner, log: structlog.stdlib.BoundLogger, over: Callable[[Exit], None]
    ) -> None:
        self.sources: list[Source] = []
        self.sites: dict[str, Site] = {}
        self.supply = Supplies()
        self._planner = planner
        self._log = log
        self._over = over
        self._tasks: dict[Member, asyncio.Task[None]] = {}

    # ---- in -------------------------------------------------------------------------------------

    def add_source(self, source: Source) -> None:
        """Take bytes from it too, as soon as `begin` has begun it."""
        self.sources.append(source)
        self.supply.add(source.supply)

    def add_site(self, site: Site) -> None:
        """Feed its hosts too, as soon as `begin` has begun it."""
        self._planner.limit(site.config.name, site.max_add_bytes)
        self.sites[site.config.name] = site

    def begin(self) -> None:
        """Let everybody run who does not yet."""
        for source in self.sources:
            if source not in self._tasks:
                self._watch(source, self.started(source))
        for site in self.sites.values():
            if site not in self._tasks:
                self._watch(site, asyncio.create_task(self._run_site(site)))

    def started(self, source: Source) -> asyncio.Task[None]:
        """Start a source, whose bytes nobody takes before it is added."""
        return asyncio.create_task(keep(f"hsm.{source.name}", source.run, self._log))

    # ---- out ------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End everybody, within seconds; no request may be begun any more."""
        sites = [task for member, task in self._tasks.items() if isinstance(member, Site)]
        for task in sites:
            task.cancel()
        await asyncio.gather(*sites, return_exceptions=True)
        closing = [site.close() for site in self.sites.values()]
        closing += [source.stop() for source in self.sources]
        await asyncio.gather(*closing, *self._tasks.values(), return_exceptions=True)
        for source in self.sources:
            self.say_account(source)

    def say_account(self, source: Source) -> None:
        """Log where every byte of a source that has ended went."""
        account = account_of(source.supply.account())
        fields = {name: getattr(account, name) for name in account.__dataclass_fields__}
        self._log.info("account", hsm=source.name, closes=account.closes, **fields)

    # ---- their tasks ----------------------------------------------------------------------------

    async def _run_site(self, site: Site) -> None:
        await keep(f"vcenter.{site.config.name}", site.run, self._log)

    def _watch(self, member: Member, task: asyncio.Task[None]) -> None:
        self._tasks[member] = task
        task.add_done_callback(lambda task: self._ended(member, task))

    def _ended(self, member: Member, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._log.error(str(error))
        mistake = isinstance(error, SourceMisconfigured)
        others = [
            other
            for it, other in self._tasks.items()
            if isinstance(it, Source) is isinstance(member, Source)
        ]
        if mistake or all(other.done() for other in others):
            self._over(Exit.CONFIGURATION if mistake else Exit.REFUSED)
