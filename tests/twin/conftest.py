import base64
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bridge.twin.clock import Clock, standing_clock
from bridge.twin.options import TwinOptions
from bridge.twin.server import TwinAddress, TwinServer


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        assert self.headers["Content-Type"].split(";")[0] == "application/json"
        return json.loads(self.body)


@dataclass
class RunningTwin:
    server: TwinServer
    address: TwinAddress
    clock: Clock
    client: aiohttp.ClientSession
    token: str | None = None

    @property
    def center(self):
        return self.server.center

    async def ask(self, method: str, path: str, **more) -> Reply:
        headers = more.pop("headers", {})
        if self.token is not None:
            headers = {"vmware-api-session-id": self.token} | headers
        url = self.address.url + path
        async with self.client.request(
            method, url, headers=headers, allow_redirects=False, **more
        ) as reply:
            return Reply(reply.status, dict(reply.headers), await reply.read())

    async def login(self) -> None:
        self.token = None
        reply = await self.ask("POST", "/api/session", headers=self.basic())
        assert reply.status == 201, reply
        self.token = reply.json

    def basic(self, password: str | None = None) -> dict[str, str]:
        pair = f"{self.address.username}:{password or self.address.password}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    async def add(self, host: str, raw: bytes, **more) -> Reply:
        body = b'{"data":"' + base64.b64encode(raw) + b'"}'
        return await self.post_body(host, body, **more)

    async def post_body(self, host: str, body, **more) -> Reply:
        path = f"/api/vcenter/host/{host}/entropy/external-pool"
        return await self.ask(
            "POST",
            path + more.pop("query", "?action=add"),
            data=io.BytesIO(body) if isinstance(body, bytes) else body,
            headers={"Content-Type": "application/json"} | more.pop("headers", {}),
            **more,
        )

    async def pool(self, host: str) -> Reply:
        return await self.ask("GET", f"/api/vcenter/host/{host}/entropy/external-pool")

    async def admin(self, method: str, path: str, body: object = None) -> Reply:
        return await self.ask(
            method,
            f"/twin/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.address.admin_token}"},
        )

    async def faults(self, *rules: dict[str, object]) -> None:
        reply = await self.admin("PUT", "faults", list(rules))
        assert reply.status == 200, reply


StartTwin = Callable[..., Awaitable[RunningTwin]]


@pytest.fixture
async def start_twin() -> AsyncIterator[StartTwin]:
    """Start a twin of this process over TLS, logged in; its clock stands still."""
    async with AsyncExitStack() as stack:

        async def start(*, clock: Clock | None = None, **options) -> RunningTwin:
            clock = clock or standing_clock()
            server = TwinServer(TwinOptions(**({"hosts": 4} | options)), clock)
            address = await server.start()
            stack.push_async_callback(server.stop)
            tls = ssl.create_default_context(cafile=address.ca_file) if address.ca_file else True
            client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=20),
            )
            stack.push_async_callback(client.close)
            twin = RunningTwin(server, address, clock, client)
            await twin.login()
            return twin

        yield start


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"
