"""The status page wherever the configuration in force wants it, if it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.config import ConfigError
from bridge.telemetry.status import StatusError, StatusServer, status_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config import StatusConfig
    from bridge.telemetry.metrics import Metrics
    from bridge.telemetry.snapshot import SnapshotSource


class Face:
    """One status server at a time."""

    def __init__(
        self, snapshot: SnapshotSource, metrics: Metrics, is_live: Callable[[], bool]
    ) -> None:
        self._snapshot = snapshot
        self._metrics = metrics
        self._is_live = is_live
        self._server: StatusServer | None = None

    @property
    def url(self) -> str | None:
        """Where the page is, if there is one."""
        return None if self._server is None else self._server.url

    async def made(self, config: StatusConfig) -> StatusServer:
        """Return a server that listens, and is not the one in force yet; raises StatusError."""
        app = status_app(config, self._snapshot, self._metrics, self._is_live)
        server = StatusServer(config, app)
        await server.start()
        return server

    async def prepared(
        self, old: StatusConfig | None, new: StatusConfig | None
    ) -> StatusServer | None:
        """Return a server for another address, None when none is needed; raises ConfigError."""
        if new is None or (old is not None and old.listen == new.listen):
            return None
        try:
            return await self.made(new)
        except StatusError as error:
            text = str(error)
            if old is not None and old.port == new.port:
                text += ", or restart the bridge to keep the port"
            raise ConfigError(text) from None

    def switch(
        self, config: StatusConfig | None, server: StatusServer | None
    ) -> StatusServer | None:
        """Put `server` in force, or other names for the one there; gives what is to be stopped."""
        if server is None and config is not None and self._server is not None:
            self._server.allow(config)
            return None
        old, self._server = self._server, server
        return old

    async def close(self) -> None:
        """Serve nothing any more."""
        if self._server is not None:
            await self._server.stop()
