"""What a reload brings in, made and tried beside what runs; until the switch nothing knows of it.

What is to take the place of something that works has to work itself. What is new, or takes the
place of what does not work, may be away: then it is waited for as at a start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.config import ConfigError
from bridge.daemon.trial import try_site, try_source
from bridge.feed.standing import SiteState
from bridge.source.errors import SourceRefused
from bridge.vcenter import errors

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pydantic import SecretStr

    from bridge.config import BridgeConfig, VCenterConfig
    from bridge.daemon.crew import Crew
    from bridge.daemon.difference import Difference
    from bridge.daemon.face import Face
    from bridge.daemon.maker import Maker
    from bridge.feed.site import Site
    from bridge.source.supervisor import Source
    from bridge.telemetry.status import StatusServer
    from bridge.vcenter.types import HostSummary


class Refusals:
    """Logins that were refused, so that no reload tries one of them again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[SecretStr, str]] = {}

    def add(self, config: VCenterConfig, password: SecretStr, text: str) -> None:
        """Note one."""
        line = f"{text}; that password is not tried again"
        self._known[config.url, config.username] = password, line

    def find(self, config: VCenterConfig, password: SecretStr) -> str:
        """Say why this login was refused; empty when it was not, or nobody knows."""
        refused, text = self._known.get((config.url, config.username), (None, ""))
        return text if refused == password else ""


class Preparation:
    """One reload up to the switch. `run` raises ConfigError, and then `discard` is to be called."""

    def __init__(
        self, crew: Crew, maker: Maker, refusals: Refusals, passwords: dict[str, SecretStr]
    ) -> None:
        self.sources: dict[str, tuple[Source, asyncio.Task[None]]] = {}
        self.sites: dict[str, Site] = {}
        self.hosts: dict[str, list[HostSummary]] = {}  # that new filters mean
        self.server: StatusServer | None = None
        self.passwords = passwords
        self.warnings: list[str] = []
        self._crew = crew
        self._maker = maker
        self._refusals = refusals

    async def run(
        self, face: Face, old: BridgeConfig, new: BridgeConfig, change: Difference
    ) -> None:
        """Make and try everything; raises ConfigError for the first thing that will not do."""
        self.server = await face.prepared(old.status, new.status)
        running = {source.name: source for source in self._crew.sources}
        for name in (*change.hsm.added, *change.hsm.replaced, *self._ended(running, change)):
            source = self._maker.source(new.hsm[name])
            self.sources[name] = source, self._crew.started(source)
        for site in self._crew.sites.values():
            if site.state is SiteState.REFUSED:
                self._refusals.add(site.config, site.password, site.last_error)
        for name in (*change.vcenter.added, *change.vcenter.replaced, *self._refused(new, change)):
            config = new.vcenter[name]
            if text := self._refusals.find(config, self.passwords[name]):
                raise ConfigError(text)
            self.sites[name] = self._maker.site(config, self.passwords[name])
        await _all(
            *(self._source(running.get(name), *made) for name, made in self.sources.items()),
            *(self._site(site) for site in self.sites.values()),
            *(self._filter(new.vcenter[name]) for name in change.vcenter.adjusted),
        )

    async def discard(self) -> None:
        """End all that was made."""
        closing = [site.close() for site in self.sites.values()]
        closing += [source.stop() for source, _ in self.sources.values()]
        if self.server is not None:
            closing.append(self.server.stop())
        await asyncio.gather(*closing, return_exceptions=True)
        tasks = [task for _, task in self.sources.values()]
        for task in tasks:
            task.cancel()  # one that pauses after a defect would begin its source anew
        await asyncio.gather(*tasks, return_exceptions=True)
        for source, _ in self.sources.values():
            self._crew.say_account(source)

    def _ended(self, running: dict[str, Source], change: Difference) -> list[str]:
        """Say which of the sources that gave up may be tried again: not one with a refused PIN."""
        found = []
        for name in change.hsm.kept:
            if not self._crew.has_ended(running[name]):
                continue
            try:
                self._maker.latch(name).check()
            except SourceRefused as error:
                self.warnings.append(str(error))
            else:
                found.append(name)
        return found

    def _refused(self, new: BridgeConfig, change: Difference) -> list[str]:
        """Say which of the vCenters that refused their first login may be tried again."""
        found = []
        for name in (*change.vcenter.kept, *change.vcenter.adjusted):
            if self._crew.sites[name].state is not SiteState.REFUSED:
                continue
            if text := self._refusals.find(new.vcenter[name], self.passwords[name]):
                self.warnings.append(text)
            else:
                found.append(name)
        return found

    async def _source(
        self, before: Source | None, source: Source, task: asyncio.Task[None]
    ) -> None:
        self._weigh(await try_source(source, task), works=before is not None and before.is_running)

    async def _site(self, site: Site) -> None:
        config = site.config
        before = self._crew.sites.get(config.name)
        try:
            text = await try_site(site)
        except errors.LoginRefused as error:
            self._refusals.add(config, self.passwords[config.name], str(error))
            raise ConfigError(str(error)) from None
        self._weigh(text, works=before is not None and before.state is SiteState.UP)

    async def _filter(self, config: VCenterConfig) -> None:
        site = self._crew.sites[config.name]
        if site.config.hosts == config.hosts or site.state is SiteState.REFUSED:
            return
        try:
            self.hosts[config.name] = await site.hosts(config.hosts)
        except errors.VCenterError as error:
            self._weigh(str(error), works=bool(site.names) or isinstance(error, errors.FilterError))

    def _weigh(self, text: str, *, works: bool) -> None:
        """Refuse what does not work in the place of what `works`; else note that it does not."""
        if text and works:
            raise ConfigError(text)
        if text:
            self.warnings.append(text)


async def _all(*work: Coroutine[None, None, None]) -> None:
    """Await all, so that nothing goes on behind the first error, which is then raised."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if outcome is not None:
            raise outcome
