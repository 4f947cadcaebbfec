"""The clients that are compared: each sends one body of a given size, again and again.

All have their bytes ready: ours as Base64 text in a ring, the bare Protocol as a whole request,
the others as raw bytes, because Base64 and JSON are part of what they do. With a token, ours draw
from a source and the others from python-pkcs11: see `token.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from benchmarks.push.token import FromSource, reader_of
from bridge.config import VCenterConfig
from bridge.native.ring import SLOT_TEXT_BYTES, Ring
from bridge.vcenter import VCenter
from bridge.vcenter.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.push.far_end import FarEnd

CONCURRENCY = 32
SDK_THREADS = 16
PIECE_BYTES = 4 * SLOT_TEXT_BYTES  # a source's ring gives 1.4 pieces for 64 KiB, 4.9 for 512
HOSTS = [f"host-{1000 + n}" for n in range(300)]


def pool_path(host: str) -> str:
    return f"/api/vcenter/host/{host}/entropy/external-pool?action=add"


@dataclass(frozen=True)
class Wanted:
    """How much Base64 text in each body, and from which PKCS#11 module, if any."""

    text_bytes: int
    password_file: Path
    token_module: Path | None

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

    def __init__(self, far: FarEnd, wanted: Wanted, *, fast_path: bool) -> None:
        self._bytes = (
            FromRing(wanted.text_bytes)
            if wanted.token_module is None
            else FromSource(wanted.token_module, wanted.raw_bytes)
        )
        config = VCenterConfig(
            name="far-end",
            url=far.url,
            username="bridge",
            password_file=wanted.password_file,
            ca_file=far.ca_file,
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

    def __init__(self, far: FarEnd, text_bytes: int) -> None:
        body = b'{"data":"' + bytes(text_bytes) + b'"}'
        self._requests = [
            (
                f"POST {pool_path(host)} HTTP/1.1\r\nHost: {far.url.removeprefix('https://')}\r\n"
                f"vmware-api-session-id: session\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
            for host in HOSTS[:8]  # whole requests: few, or they alone would fill the caches
        ]
        self._port = int(far.url.rpartition(":")[2])
        self._tls = client_context(far.ca_file)
        self._lines: list[_BareLine] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONCURRENCY):
            _, line = await loop.create_connection(
                _BareLine, "localhost", self._port, ssl=self._tls
            )
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
        self.transport = transport  # type: ignore[assignment]

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
            self._then(self)


class _Threads:
    """Clients that block: one in each thread."""

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._pool = ThreadPoolExecutor(n_threads)
        self._senders: list[Callable[[str], None]] = []

    def sender(self) -> Callable[[str], None]:
        """Make what sends one body to a host."""
        raise NotImplementedError

    async def open(self) -> None:
        self._senders = [self.sender() for _ in range(self._n_threads)]

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

    def __init__(self, far: FarEnd, wanted: Wanted) -> None:
        super().__init__(SDK_THREADS)
        self._far = far
        self._raw = wanted.raw()

    def sender(self) -> Callable[[str], None]:
        import requests  # noqa: PLC0415 - each worker loads what it measures and nothing else
        from com.vmware.vcenter.host.entropy_client import ExternalPool  # noqa: PLC0415
        from vmware.vapi.vsphere.client import create_vsphere_client  # noqa: PLC0415

        http = requests.Session()
        http.trust_env = False
        http.verify = str(self._far.ca_file)
        server = self._far.url.removeprefix("https://")
        client = create_vsphere_client(server, "bridge", "secret", session=http)
        pool = client.vcenter.host.entropy.ExternalPool

        def send(host: str) -> None:
            pool.add(host, ExternalPool.AddSpec(data=self._raw()))

        return send


class Script(_Threads):
    """What an administrator would write with `requests`."""

    def __init__(self, far: FarEnd, wanted: Wanted) -> None:
        super().__init__(CONCURRENCY)
        self._far = far
        self._raw = wanted.raw()

    def sender(self) -> Callable[[str], None]:
        from base64 import b64encode  # noqa: PLC0415

        import requests  # noqa: PLC0415

        http = requests.Session()
        http.trust_env = False
        http.verify = str(self._far.ca_file)
        http.headers["vmware-api-session-id"] = "session"

        def send(host: str) -> None:
            document = {"data": b64encode(self._raw()).decode()}
            reply = http.post(self._far.url + pool_path(host), json=document, timeout=30)
            reply.raise_for_status()
            reply.json()

        return send


def make(name: str, far: FarEnd, wanted: Wanted) -> Client:
    """Make a client by its name in the table."""
    if name in ("fast", "plain"):
        return Bridge(far, wanted, fast_path=name == "fast")
    if name == "bare":
        return Bare(far, wanted.text_bytes)
    if name == "sdk":
        return Sdk(far, wanted)
    if name == "requests":
        return Script(far, wanted)
    raise ValueError(name)
