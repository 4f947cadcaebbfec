import asyncio
import contextlib
import json
import socket
import ssl
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
import uvloop
from aiohttp import web
from pydantic import SecretStr

from bridge.config import HostFilter, VCenterConfig
from bridge.vcenter import VCenter

USER = "svc-entropy@vsphere.local"
PASSWORD = "correct horse: b/\u00e4ttery"
LEVELS = {
    "capacity": 524288,
    "currently_available": 300000,
    "low_watermark": 104857,
    "inactive_source_timeout": 60,
}


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def error(error_type, message_id="some.id", text="some text"):
    message = {"id": message_id, "default_message": text, "args": []}
    return {"error_type": error_type, "messages": [message]}


@dataclass
class Script:
    """What the fake vCenter has and does; every request is counted by method and path."""

    sessions: set[str] = field(default_factory=set)
    logins: int = 0
    hosts: list[dict] = field(default_factory=list)
    clusters: dict[str, str] = field(default_factory=dict)
    folders: dict[str, tuple[str, str]] = field(default_factory=dict)
    datacenters: dict[str, str] = field(default_factory=dict)
    cap: int = 2500
    added: dict[str, bytes] = field(default_factory=dict)
    requests: list[web.Request] = field(default_factory=list)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None

    def count(self, method: str, path: str) -> int:
        return Counter((r.method, r.path) for r in self.requests)[method, path]


class FakeVCenter:
    """A vCenter as the contract has it, small enough to be told what to do wrong."""

    def __init__(self) -> None:
        self.script = Script()
        self.app = web.Application(client_max_size=64 << 20, middlewares=[self._first])
        self.app.router.add_route("POST", "/api/session", self._login)
        self.app.router.add_route("DELETE", "/api/session", self._logout)
        for kind in ("host", "cluster", "folder", "datacenter"):
            self.app.router.add_get(f"/api/vcenter/{kind}", self._list)
        pool = "/api/vcenter/host/{host}/entropy/external-pool"
        self.app.router.add_get(pool, self._pool)
        self.app.router.add_post(pool, self._add)
        self.url = ""

    @web.middleware
    async def _first(self, request, handler):
        self.script.requests.append(request)
        if self.script.answer is not None:
            response = await self.script.answer(request)
            if response is not None:
                return response
        login = request.path == "/api/session" and request.method == "POST"
        token = request.headers.get("vmware-api-session-id")
        if not login and token not in self.script.sessions:
            return web.json_response(error("UNAUTHENTICATED"), status=401)
        return await handler(request)

    async def _login(self, request):
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or b64decode(pair).decode() != f"{USER}:{PASSWORD}":
            return web.json_response(error("UNAUTHENTICATED"), status=401)
        self.script.logins += 1
        token = f"token-{self.script.logins}-{'x' * 20}"
        self.script.sessions.add(token)
        response = web.json_response(token, status=201)
        response.set_cookie("vmware-api-session-id", "from-cookie", path="/api")
        return response

    async def _logout(self, request):
        self.script.sessions.discard(request.headers["vmware-api-session-id"])
        return web.Response(status=204)

    async def _list(self, request):
        script = self.script
        kind = request.path.rpartition("/")[2]
        if kind == "host":
            items = script.hosts
        elif kind == "folder":
            items = [
                {"folder": k, "name": name, "type": type_}
                for k, (name, type_) in script.folders.items()
            ]
        else:
            known = script.clusters if kind == "cluster" else script.datacenters
            items = [{kind: k, "name": name} for k, name in known.items()]
        query = request.query
        fields = {f"{kind}s": kind, "names": "name"}
        if kind == "host":
            fields |= {f"{k}s": f"_{k}" for k in ("cluster", "datacenter", "folder")}
        for param, key in fields.items():
            if param in query:
                items = [i for i in items if i.get(key) in query.getall(param)]
        if query.get("standalone") == "true":
            items = [i for i in items if i.get("_cluster") is None]
        if len(items) > script.cap:
            return web.json_response(error("UNABLE_TO_ALLOCATE_RESOURCE"), status=500)
        return web.json_response(
            [{k: v for k, v in i.items() if not k.startswith("_")} for i in items]
        )

    async def _pool(self, request):
        assert request.query_string == ""
        return web.json_response({"status": "ENABLED", **LEVELS})

    async def _add(self, request):
        assert request.query_string == "action=add"
        assert request.content_type == "application/json"
        data = json.loads(await request.read())["data"]
        host = request.match_info["host"]
        self.script.added[host] = self.script.added.get(host, b"") + b64decode(data, validate=True)
        return web.json_response(LEVELS)


def host(number: int, **more) -> dict:
    return {
        "host": f"host-{number}",
        "name": f"esx{number:03}.example.com",
        "connection_state": "CONNECTED",
        "power_state": "POWERED_ON",
        **more,
    }


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(ca) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_file(ca, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def settings(ca_file, tmp_path) -> Callable[..., VCenterConfig]:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)

    def build(url: str, **more) -> VCenterConfig:
        settings = {
            "name": "site-a",
            "url": url,
            "username": USER,
            "password_file": secret,
            "ca_file": ca_file if url.startswith("https") else None,
            "request_timeout_seconds": 10.0,
            "hosts": HostFilter(),
        }
        return VCenterConfig(**(settings | more))

    return build


@pytest.fixture(params=["fast", "plain"])
def path(request) -> str:
    """Which of the two ways every exchange takes."""
    return request.param


@pytest.fixture
def config(settings, path) -> Callable[..., VCenterConfig]:
    return lambda url, **more: settings(url, **({"fast_path": path == "fast"} | more))


@pytest.fixture
async def fake(server_tls) -> AsyncIterator[FakeVCenter]:
    fake = FakeVCenter()
    runner = web.AppRunner(fake.app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls)
    await site.start()
    fake.url = f"https://localhost:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


@pytest.fixture
async def client(fake, config) -> AsyncIterator[VCenter]:
    async with VCenter(config(fake.url), SecretStr(PASSWORD)) as client:
        yield client


@pytest.fixture
def password() -> SecretStr:
    return SecretStr(PASSWORD)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tcp_server(
    handler: Handler, tls: ssl.SSLContext | None = None, receive_bytes: int | None = None
) -> AsyncIterator[int]:
    """Hand every connection to `handler`, and cut it afterwards; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            pass  # asyncio's streams log a handler that was cancelled
        finally:
            tasks.discard(asyncio.current_task())
            writer.transport.abort()

    limit = {} if receive_bytes is None else {"limit": receive_bytes}
    listener = socket.create_server(("127.0.0.1", 0))
    if receive_bytes is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    server = await asyncio.start_server(connected, sock=listener, ssl=tls, **limit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = list(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left)


@asynccontextmanager
async def raw_server(
    serve: Serve, tls: ssl.SSLContext | None = None, receive_bytes: int | None = None
) -> AsyncIterator[str]:
    """Answer logins, and leave other requests, head read, to `serve`; gives the address."""

    async def handler(reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if head.startswith("POST /api/session "):
                writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n"tokens"')
            elif head.startswith("DELETE /api/session "):
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                await serve(head, reader, writer)
            await writer.drain()

    async with tcp_server(handler, tls, receive_bytes) as port:
        yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"


@pytest.fixture
def closed_port() -> Iterator[int]:
    with contextlib.closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
