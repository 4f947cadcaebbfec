"""The clients that are compared: each sends one body of a given size, again and again.

All have their bytes ready: ours as Base64 text in a ring, the bare Protocol as a whole request,
the others as raw bytes, because Base64 and JSON are part of what they do. With a token, ours draw
from a source and the others from python-pkcs11: see `token.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from abc import ABC, abstractmethod
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from pydantic import SecretStr

from benchmarks.far_end.far_end import SESSION
from benchmarks.push.token import FromSource, reader_of
from bridge.config import VCenterConfig
from bridge.native.ring import SLOT_TEXT_BYTES, Ring
from bridge.vcenter import VCenter
from bridge.vcenter.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests
CONCURRENCY = 32
PIECE_BYTES = 4 * SLOT_TEXT_BYTES  # a source's ring gives 1.4 pieces for 64 KiB, 4.9 for 512
HOSTS = [f"host-{1000 + n}" for n in range(300)]


def pool_path(host: str) -> str:
    return f"/api/vcenter/host/{host}/entropy/external-pool?action=add"


@dataclass(frozen=True)
class Wanted:
    """Where to send to, how much Base64 text in each body, and from which module, if any."""

    url: str
    ca_file: Path
    password_file: Path
    text_bytes: int
    token_module: Path | None

    @property
    def server(self) -> str:
        return self.url.removeprefix("https://")

    @property
    def raw_bytes(self) -> int:
        return self.text_bytes // 4 * 3

    def raw(self) -> Callable[[], bytes]:
        """Return what gives the raw bytes of one body; may be called by any thread."""
        if self.token_module is not None:
            return reader_of(self.token_module, self.raw_bytes)
        ready = os.urandom(self.raw_bytes)
        return lambda: ready


class Client(Protocol):
    """What a worker drives; made, used and closed within one event loop."""

    async def open(self) -> None: ...

    async def push(self, n: int) -> None:
        """Send `n` bodies, as many at a time as this client does."""

    async def close(self) -> None: ...


class FromRing:
    """Bytes that lie in a ring and are sent again and again."""

    def __init__(self, text_bytes: int) -> None:
        n_slots = -(-text_bytes // SLOT_TEXT_BYTES)
        self._ring = Ring.create(max(n_slots, 8), 1, allow_unlocked=True)
        self._pieces = tuple(
            self._ring.piece(start // SLOT_TEXT_BYTES, 0, min(PIECE_BYTES, text_bytes - start))[0]
            for start in range(0, text_bytes, PIECE_BYTES)
        )

    async def open(self) -> None: ...

    async def push(self, client: VCenter, host: str) -> None:
        await client.add(host, self._pieces, _nothing)

    async def close(self) -> None:
        self._pieces = ()
        self._ring.close()


class Bridge:
    """VCenter.add with views of ring slots, as the pusher calls it."""

    def __init__(self, wanted: Wanted, *, fast_path: bool) -> None:
        self._bytes = (
            FromRing(wanted.text_bytes)
            if wanted.token_module is None
            else FromSource(wanted.token_module, wanted.raw_bytes)
        )
        config = VCenterConfig(
            name="far-end",
            url=wanted.url,
            username="bridge",
            password_file=wanted.password_file,
            ca_file=wanted.ca_file,
            max_in_flight=CONCURRENCY,
            fast_path=fast_path,
        )
        self._client = VCenter(config, SecretStr("secret"))

    async def open(self) -> None:
        await self._bytes.open()
        await self._client.open()

    async def push(self, n: int) -> None:
        hosts = iter(itertools.islice(itertools.cycle(HOSTS), n))

        async def feed() -> None:
            for host in hosts:
                await self._bytes.push(self._client, host)

        await asyncio.gather(*(feed() for _ in range(CONCURRENCY)))

    async def close(self) -> None:
        await self._client.close()
        await self._bytes.close()


def _nothing() -> None:
    return


class Bare:
    """A uvloop Protocol that writes a request made beforehand and counts the bytes of the reply.

    No timeouts, no errors, no session, no meaning of the reply: the least that can be done.
    """

    def __init__(self, wanted: Wanted) -> None:
        body = b'{"data":"' + bytes(wanted.text_bytes) + b'"}'
        self._requests = [
            (
                f"POST {pool_path(host)} HTTP/1.1\r\nHost: {wanted.server}\r\n"
                f"vmware-api-session-id: {SESSION}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
            for host in HOSTS[:8]  # whole requests: few, or they alone would fill the caches
        ]
        self._address = wanted.server.split(":")
        self._tls = client_context(wanted.ca_file)
        self._lines: list[_BareLine] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONCURRENCY):
            _, line = await loop.create_connection(_BareLine, *self._address, ssl=self._tls)
            self._lines.append(line)

    async def push(self, n: int) -> None:
        done = asyncio.get_running_loop().create_future()
        requests = itertools.cycle(self._requests)
        left = n
        idle = 0

        def more(line: _BareLine) -> None:
            nonlocal left, idle
            if left:
                left -= 1
                line.send(next(requests), more)
            else:
                idle += 1
                if idle == CONCURRENCY:
                    done.set_result(None)

        for line in self._lines:
            more(line)
        await done

    async def close(self) -> None:
        for line in self._lines:
            line.transport.close()


class _BareLine(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._held = b""
        self._then: Callable[[_BareLine], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, then: Callable[[_BareLine], None]) -> None:
        self._then = then
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, found, payload = self._held.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        if len(payload) >= length:
            assert head.startswith(b"HTTP/1.1 200")
            self._held = b""
            assert self._then is not None
            then, self._then = self._then, None
            then(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._then is not None:
            raise ConnectionResetError from exc  # to the loop's handler: nobody waits here


class _Threads(ABC):
    """Clients that block: one in each thread."""

    n_threads = CONCURRENCY

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._raw = wanted.raw()
        self._pool = ThreadPoolExecutor(self.n_threads)
        self._senders: list[Callable[[str], None]] = []

    @abstractmethod
    def sender(self, http: requests.Session) -> Callable[[str], None]:
        """Make what sends one body to a host."""

    async def open(self) -> None:
        import requests  # noqa: PLC0415 - each worker loads what it measures and nothing else

        for _ in range(self.n_threads):
            http = requests.Session()
            http.trust_env = False
            http.verify = str(self._wanted.ca_file)
            self._senders.append(self.sender(http))

    async def push(self, n: int) -> None:
        hosts = iter(list(itertools.islice(itertools.cycle(HOSTS), n)))

        def feed(send: Callable[[str], None]) -> None:
            for host in hosts:  # a list's iterator: safe under the GIL
                send(host)

        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._pool, feed, send) for send in self._senders)
        )

    async def close(self) -> None:
        self._pool.shutdown()


class Sdk(_Threads):
    """Broadcom's vmware-vcenter as it comes: ExternalPool.add over its default JSON-RPC."""

    n_threads = 16

    def sender(self, http: requests.Session) -> Callable[[str], None]:
        from com.vmware.vcenter.host.entropy_client import ExternalPool  # noqa: PLC0415
        from vmware.vapi.vsphere.client import create_vsphere_client  # noqa: PLC0415

        client = create_vsphere_client(self._wanted.server, "bridge", "secret", session=http)
        pool = client.vcenter.host.entropy.ExternalPool

        def send(host: str) -> None:
            pool.add(host, ExternalPool.AddSpec(data=self._raw()))

        return send


class Script(_Threads):
    """What an administrator would write with `requests`."""

    def sender(self, http: requests.Session) -> Callable[[str], None]:
        http.headers["vmware-api-session-id"] = SESSION

        def send(host: str) -> None:
            document = {"data": b64encode(self._raw()).decode()}
            reply = http.post(self._wanted.url + pool_path(host), json=document, timeout=30)
            reply.raise_for_status()
            reply.json()

        return send


CLIENTS: dict[str, Callable[[Wanted], Client]] = {
    "bare": Bare,
    "fast": partial(Bridge, fast_path=True),
    "plain": partial(Bridge, fast_path=False),
    "sdk": Sdk,
    "requests": Script,
}
"""By the names in the table."""
