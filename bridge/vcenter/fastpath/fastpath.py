"""Exchanges over connections that are our own: the same as aiohttp's, for much less CPU."""

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from bridge.config import VCenterConfig
from bridge.vcenter.fastpath.envelope import new_envelope
from bridge.vcenter.fastpath.lines import Lines
from bridge.vcenter.fastpath.opening import open_connection
from bridge.vcenter.plainpath import http_session

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp.connector import Connection

    from bridge.vcenter.body import EntropyBody
    from bridge.vcenter.headers import Address, SecretHeaders
    from bridge.vcenter.replies import Reply

MAY_BE_REPEATED = ("GET", "DELETE")


class FastPath:
    """Connections to one vCenter, and exchanges over them."""

    def __init__(self, config: VCenterConfig, tls: ssl.SSLContext, *, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._http = http_session(config, tls)  # the limit is kept here
        self._seconds = config.request_timeout_seconds
        self._url = URL(config.url)
        self._lines = Lines(self._connect, self._loop, limit, new_envelope())
        self._is_open = True  # asking aiohttp takes as long as the rest of the question

    def allow(self, limit: int) -> None:
        """Have no more than `limit` connections; those in use are not closed for it."""
        self._lines.allow(limit)

    def is_open(self) -> bool:
        """Whether exchanges can be made."""
        return self._is_open

    async def close(self) -> None:
        """Close all connections."""
        self._is_open = False
        self._lines.close()
        await self._http.close()

    def exchange(
        self,
        method: str,
        address: "Address",
        headers: "SecretHeaders",
        body: "EntropyBody | None",
        reply_bytes_max: int,
    ) -> "Coroutine[Any, Any, Reply]":
        """Make one exchange, awaited at once; raises one of FAILURES when no status came."""
        head = address.head(method) + headers.block
        if body is not None:
            head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % body.size
        else:
            head += b"Content-Length: 0\r\n\r\n" if method == "POST" else b"\r\n"
        now = self._loop.time()
        deadline = now + self._seconds
        may_repeat = method in MAY_BE_REPEATED
        if not may_repeat and (line := self._lines.take_idle(now, deadline)) is not None:
            return line.exchange(head, body, reply_bytes_max)
        return self._exchange(head, deadline, body, reply_bytes_max, may_repeat=may_repeat)

    async def _exchange(
        self,
        head: bytes,
        deadline: float,
        body: "EntropyBody | None",
        reply_bytes_max: int,
        *,
        may_repeat: bool,
    ) -> "Reply":
        while True:
            line = self._lines.take_idle(self._loop.time(), deadline)
            if line is None:
                line = await self._lines.take(deadline)
            is_new = not line.n_exchanges
            try:
                return await line.exchange(head, body, reply_bytes_max)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # the other end may have closed it just when it was to be used again
                if is_new or not may_repeat:
                    raise
                may_repeat = False

    async def _connect(self) -> "Connection":
        return await open_connection(self._http, self._url)
