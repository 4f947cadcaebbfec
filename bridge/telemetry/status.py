"""The HTTP side of the status: page, /status.json, /metrics, /livez, /readyz."""

import asyncio
import ipaddress
import json
import os
import secrets
import socket
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.config import StatusConfig
from bridge.telemetry.document import snapshot_document
from bridge.telemetry.metrics import CONTENT_TYPE, Metrics
from bridge.telemetry.page import live_part, page
from bridge.telemetry.page_fleet import shown_hosts
from bridge.telemetry.snapshot import SnapshotSource

_QUERY_MAX = 200
_NAMES = web.AppKey("names", set[str])
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "entropy-bridge",
    "X-Content-Type-Options": "nosniff",
}


class StatusError(Exception):
    """The status page cannot be served; one line that says why."""


def status_app(
    config: StatusConfig,
    snapshot: SnapshotSource,
    metrics: Metrics,
    is_live: Callable[[], bool] = lambda: True,
) -> web.Application:
    """Return the application; `snapshot` and `is_live` are called in the event loop."""
    app = web.Application(middlewares=[_host_check], client_max_size=1024)
    app[_NAMES] = set()
    allow_names(app, config)
    routes = _Routes(snapshot, metrics, is_live)
    app.router.add_get("/", routes.page)
    app.router.add_get("/status.json", routes.status)
    app.router.add_get("/metrics", routes.metrics)
    app.router.add_get("/livez", routes.livez)
    app.router.add_get("/readyz", routes.readyz)
    app.on_response_prepare.append(_harden)
    return app


def allow_names(app: web.Application, config: StatusConfig) -> None:
    """Let the page be asked for under the names of this configuration, and no others."""
    own = {"localhost", config.host, socket.gethostname(), *config.names}
    app[_NAMES].clear()
    app[_NAMES].update(name.lower().rstrip(".") for name in own)


def no_listening(config: StatusConfig, error: OSError) -> str:
    """Say why the address cannot be listened on, and what to do."""
    known = error.errno is not None and error.errno > 0  # asyncio's own words repeat the address
    reason = os.strerror(error.errno) if known and error.errno else error.strerror or str(error)
    return f"cannot listen on {config.listen}: {reason}; choose another address or port"


class StatusServer:
    """Serves an application on the configured address."""

    def __init__(self, config: StatusConfig, app: web.Application) -> None:
        self._config = config
        self._app = app
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self.port = config.port

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"http://{host}:{self.port}/"

    async def start(self) -> None:
        """Listen; afterwards `port` is the one that was taken. Raises StatusError."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._config.host, self._config.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise StatusError(f"status.listen: {no_listening(self._config, error)}") from None
        self.port = int(self._runner.addresses[0][1])

    def allow(self, config: StatusConfig) -> None:
        """Go by the names of a configuration with the same address."""
        allow_names(self._app, config)

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        await self._runner.cleanup()


class _Routes:
    def __init__(
        self, snapshot: SnapshotSource, metrics: Metrics, is_live: Callable[[], bool]
    ) -> None:
        self._snapshot = snapshot
        self._metrics = metrics
        self._is_live = is_live

    async def page(self, request: web.Request) -> web.Response:
        query = request.query.get("q", "")[:_QUERY_MAX]
        every_host = "all" in request.query
        if request.query.get("part") == "live":
            text = live_part(self._snapshot(), query, every_host=every_host)
            return web.Response(text=text, content_type="text/html")
        nonce = secrets.token_urlsafe(16)
        text = page(self._snapshot(), nonce, query, every_host=every_host)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        return web.Response(
            text=text, content_type="text/html", headers={"Content-Security-Policy": policy}
        )

    async def status(self, request: web.Request) -> web.Response:
        limit = request.query.get("hosts", "")
        if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 10):
            raise web.HTTPBadRequest(text="hosts is a number: /status.json?hosts=100\n")
        snapshot = self._snapshot()
        rows, n_found = shown_hosts(
            snapshot, request.query.get("q", "")[:_QUERY_MAX], int(limit) if limit else None
        )
        document = snapshot_document(snapshot, rows, n_found)
        text = await asyncio.to_thread(json.dumps, document, ensure_ascii=False)
        return web.json_response(text=text)

    async def metrics(self, _request: web.Request) -> web.Response:
        # The snapshot belongs to this moment in the loop; writing it as text need not hold it up.
        body = await asyncio.to_thread(self._metrics.text, self._snapshot())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def livez(self, _request: web.Request) -> web.Response:
        if self._is_live():
            return web.Response(text="live\n")
        return web.Response(status=503, text="a loop does not make progress\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        reasons = self._snapshot().not_ready
        if not reasons:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="".join(f"{reason}\n" for reason in reasons))


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        if name == "Server" or name not in response.headers:
            response.headers[name] = value


@web.middleware
async def _host_check(request: web.Request, handler: Handler) -> web.StreamResponse:
    # A page on the web could give its own name the bridge's address and read the status through
    # the visitor's browser; but the browser then says that name in the Host header.
    name = _host_name(request.headers.get("Host", ""))
    if name in request.app[_NAMES] or _is_address(name):
        return await handler(request)
    raise web.HTTPMisdirectedRequest(
        text="This bridge does not know that name; add it to names in [status].\n"
    )


def _host_name(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
