"""The sources and vCenters at work, each with the task that keeps it going: in and out."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from bridge.daemon.exits import Exit
from bridge.daemon.keep import keep
from bridge.daemon.view import account_of
from bridge.feed.site import Site
from bridge.source.errors import SourceMisconfigured
from bridge.source.supervisor import Source
from bridge.source.supply import Supplies

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    import structlog

    from bridge.feed.planner import Planner
    from bridge.source.supply import Supply

Member: TypeAlias = Source | Site

_POLL_SECONDS = 0.1
_REQUESTS_SECONDS = 660.0  # longer than any request may last


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
        self.ends_on_mistakes = True  # one misconfigured source ends all, as it should at first
        self._planner = planner
        self._log = log
        self._over = over
        self._tasks: dict[Member, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    # ---- in -------------------------------------------------------------------------------------

    def add_source(self, source: Source, task: asyncio.Task[None] | None = None) -> None:
        """Take bytes from it too; `task` runs it already, else `begin` will."""
        self.sources.append(source)
        self.supply.add(source.supply)
        if task is not None:
            self._watch(source, task)

    def add_site(self, site: Site) -> None:
        """Feed its hosts too, as soon as `begin` has begun it."""
        self._planner.limit(site.config.name, site.max_add_bytes)
        self._planner.cap(site.config.name, site.config.max_bytes_per_second)
        self.sites[site.config.name] = site

    def begin(self, after: asyncio.Task[None] | None = None) -> None:
        """Let everybody run who does not yet; vCenters not before `after` has ended."""
        for source in self.sources:
            if source not in self._tasks:
                self._watch(source, self.started(source))
        for site in self.sites.values():
            if site not in self._tasks:
                self._watch(site, asyncio.create_task(self._run_site(site, after)))

    def started(self, source: Source) -> asyncio.Task[None]:
        """Start a source, whose bytes nobody takes before it is added."""
        return asyncio.create_task(keep(f"hsm.{source.name}", source.run, self._log))

    def has_ended(self, member: Member) -> bool:
        """Tell whether it gave up, so that only a person can help."""
        return self._tasks[member].done()

    def arrange(self, hsms: Sequence[str], vcenters: Sequence[str]) -> None:
        """Put everybody into the order of the configuration."""
        self.sources.sort(key=lambda source: hsms.index(source.name))
        for name in vcenters:
            self.sites[name] = self.sites.pop(name)

    # ---- out ------------------------------------------------------------------------------------

    def remove_source(self, source: Source, *, use_up: bool) -> None:
        """End it; what it published goes out first (`use_up`), or is purged at once."""
        self.sources.remove(source)
        if use_up:
            self.supply.use_up(source.supply)
        else:
            self.supply.remove(source.supply)
            source.supply.purge()
        self._spawn(self._see_off_source(source, self._tasks.pop(source), use_up=use_up))

    def remove_site(self, name: str) -> asyncio.Task[None]:
        """End it and log out; the task returned ends with its last request."""
        site = self.sites.pop(name)
        site.leave()
        task = self._tasks.pop(site)
        task.cancel()
        idle = asyncio.create_task(site.idle())
        self._spawn(self._see_off_site(site, task, idle))
        return idle

    async def close(self) -> None:
        """End everybody, within seconds; no request may be begun any more."""
        self._closing.set()
        sites = [task for member, task in self._tasks.items() if isinstance(member, Site)]
        for task in sites:
            task.cancel()
        await asyncio.gather(*sites, return_exceptions=True)
        closing = [site.close() for site in self.sites.values()]
        closing += [source.stop() for source in self.sources]
        await asyncio.gather(*closing, return_exceptions=True)
        for task in self._tasks.values():
            task.cancel()  # one that pauses after a defect would begin its source anew
        await asyncio.gather(*self._tasks.values(), *self._leaving, return_exceptions=True)
        for source in self.sources:
            self.say_account(source)

    def say_account(self, source: Source) -> None:
        """Log where every byte of a source that has ended went."""
        account = account_of(source.supply.account())
        fields = {name: getattr(account, name) for name in account.__dataclass_fields__}
        self._log.info("account", hsm=source.name, closes=account.closes, **fields)

    # ---- their tasks ----------------------------------------------------------------------------

    async def _run_site(self, site: Site, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait({after})
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
        if (mistake and self.ends_on_mistakes) or all(other.done() for other in others):
            self._over(Exit.CONFIGURATION if mistake else Exit.REFUSED)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _see_off_source(
        self, source: Source, task: asyncio.Task[None], *, use_up: bool
    ) -> None:
        supply = source.supply
        if use_up:
            await source.retire()
            await self._until(lambda: _is_used_up(supply))
        await source.stop()
        self.supply.remove(supply)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._until(lambda: not supply.account().in_flight, _REQUESTS_SECONDS)
        self.say_account(source)

    async def _see_off_site(
        self, site: Site, task: asyncio.Task[None], idle: asyncio.Task[None]
    ) -> None:
        await asyncio.gather(task, idle, return_exceptions=True)
        await site.close()

    async def _until(self, is_done: Callable[[], bool], seconds: float = math.inf) -> None:
        """Wait for something, but not when everything is closed."""
        end = time.monotonic() + seconds
        while not (is_done() or self._closing.is_set() or time.monotonic() > end):
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._closing.wait()


def _is_used_up(supply: Supply) -> bool:
    account = supply.account()  # what is in flight may come back
    return not account.in_ring and not account.in_flight
