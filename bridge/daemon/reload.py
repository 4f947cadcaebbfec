"""SIGHUP: another configuration put in force whole, or not at all.

Everything that can fail is done first, beside what runs: files read, new sources started and
tested, new vCenters logged in to, new filters resolved, a new address listened on. The switch
itself waits for nothing and cannot fail.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from bridge.config import BridgeConfig, ConfigError
from bridge.daemon.difference import compare, same_token
from bridge.daemon.preparation import Preparation, Refusals
from bridge.telemetry.snapshot import ConfigRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import structlog
    from pydantic import SecretStr

    from bridge.daemon.crew import Crew
    from bridge.daemon.difference import Difference
    from bridge.daemon.face import Face
    from bridge.daemon.maker import Maker
    from bridge.daemon.sdnotify import Notifier

Read: TypeAlias = Callable[[Callable[[str], None]], BridgeConfig]
"""Gives the configuration, with its files checked, and tells what is to be warned of."""


class Reloader:
    """Reads the configuration when asked to, and puts it in force if all of it can be.

    `apply` is told the configuration that is in force from then on, for what is the bridge's own.
    """

    def __init__(
        self,
        config: BridgeConfig,
        read: Read,
        *,
        crew: Crew,
        maker: Maker,
        face: Face,
        apply: Callable[[BridgeConfig], None],
        notifier: Notifier,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.row = ConfigRow(in_force_since=time.time())
        self._config = config
        self._certificates = _certificates(config)
        self._read = read
        self._crew = crew
        self._maker = maker
        self._face = face
        self._apply = apply
        self._notifier = notifier
        self._log = log
        self._asked = asyncio.Event()
        self._refusals = Refusals()

    def ask(self) -> None:
        """Reload soon; asked while a reload is under way, once more after it."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever asked to, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._notifier.reloading()
            try:
                await self._reload()
            except ConfigError as error:
                self._note_refusal(str(error))
            except Exception as error:
                self._note_refusal(f"{type(error).__name__}, a defect of the bridge")
                self._notifier.reloaded()
                raise
            self._notifier.reloaded()

    def _note_refusal(self, text: str) -> None:
        self.row = ConfigRow(self.row.in_force_since, text)
        self._log.error("reload refused; the old configuration stays in force", error=text)

    async def _reload(self) -> None:
        warnings: list[str] = []
        old, new = self._config, await asyncio.to_thread(self._read, warnings.append)
        certificates = await asyncio.to_thread(_certificates, new)
        known = self._certificates
        change = compare(old, new, [it for it in known if known[it] != certificates.get(it)])
        passwords = await asyncio.to_thread(_passwords, new)
        made = Preparation(self._crew, self._maker, self._refusals, passwords)
        try:
            await made.run(self._face, old, new, change)
        except BaseException:
            await made.discard()
            for name in change.vcenter.added:
                self._maker.forget(name)
            raise
        self._switch(new, change, made)
        for text in (*warnings, *made.warnings):
            self._log.warning(text)
        self._log.info("configuration reloaded", **_words(change))
        self._certificates = certificates
        old_server = self._face.switch(new.status, made.server)
        if old_server is not None:
            await old_server.stop()

    def _switch(self, new: BridgeConfig, change: Difference, made: Preparation) -> None:
        old, self._config = self._config, new
        self._crew.ends_on_mistakes = False
        self._switch_sources(old, new, made, change.hsm.removed)
        self._switch_sites(new, made, change.vcenter.removed)
        self._crew.arrange(list(new.hsm), list(new.vcenter))
        self._apply(new)
        self.row = ConfigRow(in_force_since=time.time())

    def _switch_sources(
        self, old: BridgeConfig, new: BridgeConfig, made: Preparation, removed: Sequence[str]
    ) -> None:
        for source in tuple(self._crew.sources):
            if source.name in removed or source.name in made.sources:
                after = new.hsm.get(source.name)
                use_up = after is not None and same_token(old.hsm[source.name], after)
                self._crew.remove_source(source, use_up=use_up)
        for source, task in made.sources.values():
            self._crew.add_source(source, task)

    def _switch_sites(self, new: BridgeConfig, made: Preparation, removed: Sequence[str]) -> None:
        for name in removed:
            self._crew.remove_site(name)
            self._maker.forget(name)
        for name, config in new.vcenter.items():
            if name in made.sites:
                after = self._crew.remove_site(name) if name in self._crew.sites else None
                self._crew.add_site(made.sites[name])
                self._crew.begin(after)
                continue
            site = self._crew.sites[name]
            site.use_password(made.passwords[name])
            if site.config != config:
                site.change(config, made.hosts.get(name))
            site.refresh()


def _passwords(config: BridgeConfig) -> dict[str, SecretStr]:
    return {name: vcenter.password() for name, vcenter in config.vcenter.items()}


def _certificates(config: BridgeConfig) -> dict[str, bytes]:
    """Return what is in the CA files now; of one that cannot be read, nothing."""
    found = {}
    for name, vcenter in config.vcenter.items():
        found[name] = b""
        if vcenter.ca_file is not None:
            with suppress(OSError):
                found[name] = vcenter.ca_file.read_bytes()
    return found


def _words(change: Difference) -> dict[str, str]:
    """Say for the log what changed."""
    tables = {"hsm": change.hsm, "vcenter": change.vcenter}
    return {
        f"{kind}_{how}": " ".join(names)
        for kind, found in tables.items()
        for how in ("added", "replaced", "adjusted", "removed")
        if (names := getattr(found, how))
    }
