"""Exchanges by aiohttp's client: the way that is always there."""

import ssl
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.connector import NEEDS_CLEANUP_CLOSED

from bridge.config import VCenterConfig
from bridge.vcenter.headers import COMMON
from bridge.vcenter.path import CONNECT_SECONDS_MAX, FAILURES, KEEP_ALIVE_SECONDS
from bridge.vcenter.payload import EntropyPayload
from bridge.vcenter.replies import Reply

if TYPE_CHECKING:
    from bridge.vcenter.body import EntropyBody
    from bridge.vcenter.headers import Address, SecretHeaders


def http_session(config: VCenterConfig, tls: ssl.SSLContext) -> aiohttp.ClientSession:
    """Make a client without a limit of connections, and with none of the frills."""
    seconds = config.request_timeout_seconds
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=tls,
            limit=0,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            enable_cleanup_closed=NEEDS_CLEANUP_CLOSED,
        ),
        timeout=aiohttp.ClientTimeout(
            total=seconds, sock_connect=min(seconds / 2, CONNECT_SECONDS_MAX)
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=COMMON,
        trust_env=False,
        auto_decompress=False,
    )


class PlainPath:
    """aiohttp's client, with a pool of its own."""

    def __init__(self, config: VCenterConfig, tls: ssl.SSLContext) -> None:
        self._http = http_session(config, tls)

    def allow(self, limit: int) -> None:
        """Leave the limit to whoever sends: aiohttp's cannot be changed while it is used."""

    def is_open(self) -> bool:
        """Whether exchanges can be made."""
        return not self._http.closed

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def exchange(
        self,
        method: str,
        address: "Address",
        headers: "SecretHeaders",
        body: "EntropyBody | None",
        reply_bytes_max: int,
    ) -> Reply:
        """Make one exchange; raises one of FAILURES when no status came."""
        response = await self._http.request(
            method,
            address.url,
            headers=headers,
            data=None if body is None else EntropyPayload(body),
            allow_redirects=False,
        )
        payload: bytes | None = b""
        trouble = None
        early = False
        try:
            if body is not None and not body.is_out(succeeded=response.status < 300):
                # answered before all of it was there: it is cut off as soon as this returns
                early = not body.finished
                payload = response.content.read_nowait()
            else:
                payload = await _read(response.content, reply_bytes_max)
        except FAILURES as error:
            trouble = error.with_traceback(None)
        finally:
            response.close()  # which spares the connection once the reply is complete
        return Reply(
            response.status, payload or b"", response.headers, trouble, payload is None, early
        )


async def _read(content: aiohttp.StreamReader, bytes_max: int) -> bytes | None:
    """Read a whole reply; None if it is larger than `bytes_max`."""
    payload = await content.readany()
    if content.at_eof():
        return payload if len(payload) <= bytes_max else None
    chunks = [payload]
    size = len(payload)
    while size <= bytes_max and (payload := await content.readany()):
        chunks.append(payload)
        size += len(payload)
    return b"".join(chunks) if size <= bytes_max else None
