"""Puts the twin together and listens: the faces over one center, over TLS."""

import asyncio
import logging
import secrets
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bridge.twin.admin import Admin
from bridge.twin.build import build_fleet
from bridge.twin.center import Center
from bridge.twin.clock import Clock
from bridge.twin.errors import internal_error, method_not_allowed, route_not_found
from bridge.twin.failure import NoTwin, TwinError
from bridge.twin.faults import FaultKind, FaultPlan, FaultRule, read_rules
from bridge.twin.openapi import add_openapi_route
from bridge.twin.options import TwinOptions
from bridge.twin.recorder import Recorder
from bridge.twin.rest import RestFace, error_response
from bridge.twin.rpcface import RpcFace
from bridge.twin.sessions import Account, Sessions
from bridge.twin.tls import issue_server_context

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_MOST_ADMIN_BYTES = 16 * 1024 * 1024  # a kickstart file with the largest payload
_SHUTDOWN_SECONDS = 1.0


@dataclass(frozen=True)
class TwinAddress:
    """What a client must know of a running twin."""

    url: str
    port: int
    ca_file: Path | None
    username: str
    password: str = field(repr=False)
    password_file: Path
    admin_token: str = field(repr=False)


class TwinServer:
    """A running twin; start() and stop() once each."""

    def __init__(self, options: TwinOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or Clock(speed=options.speed)
        self._runner: web.AppRunner | None = None
        self._own_directory: Path | None = None
        self._written: list[Path] = []
        self._center: Center | None = None

    @property
    def center(self) -> Center:
        """Return the vCenter behind the faces, for tests in the same process."""
        if self._center is None:
            raise TwinError("the twin is not started")
        return self._center

    async def start(self) -> TwinAddress:
        """Listen and return the address; on failure nothing is left behind."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening, cut what is under way, remove the temporary files."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._center is not None and self._center.recorder is not None:
            self._center.recorder.close()
            self._center.recorder = None
        for path in self._written:
            path.unlink(missing_ok=True)
        self._written.clear()
        if self._own_directory is not None:
            shutil.rmtree(self._own_directory, ignore_errors=True)
            self._own_directory = None

    async def _start(self) -> TwinAddress:
        options = self._options
        directory = self._directory()
        password = self._password()
        password_file = options.password_file or self._write_secret(directory, password)
        token = secrets.token_urlsafe(24)
        self._center = self._build_center(password)
        app = web.Application(middlewares=[_answer_in_json], client_max_size=_MOST_ADMIN_BYTES)
        RestFace(self._center).add_routes(app.router)
        RpcFace(self._center).add_routes(app.router)
        Admin(self._center, token).add_routes(app.router)
        add_openapi_route(app.router, options.readings)
        ca_file = directory / "ca.pem" if options.tls else None
        names = () if options.is_loopback else (options.address,)
        context = (
            issue_server_context(ca_file, *names, failing=self._tls_failure) if ca_file else None
        )
        self._written += [ca_file] if ca_file else []
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, keepalive_timeout=900.0
        )
        await self._runner.setup()
        listener = _listen(options.address, options.port)
        await web.SockSite(self._runner, listener, ssl_context=context, backlog=_BACKLOG).start()
        port = listener.getsockname()[1]
        host = f"[{options.address}]" if ":" in options.address else options.address
        return TwinAddress(
            url=f"{'https' if options.tls else 'http'}://{host}:{port}",
            port=port,
            ca_file=ca_file,
            username=options.username,
            password=password,
            password_file=password_file,
            admin_token=token,
        )

    def read_faults_again(self) -> None:
        """Put the rules of the fault file in force anew; TwinError leaves those that are."""
        path = self._options.fault_file
        if path is not None:
            self.center.faults.set(_rules_of(path), self._clock.now())

    def _tls_failure(self) -> FaultKind | None:
        return self.center.faults.strike_connection(self._clock.now())

    def _build_center(self, password: str) -> Center:
        options = self._options
        faults = FaultPlan()
        if options.fault_file is not None:
            faults.set(_rules_of(options.fault_file), self._clock.now())
        return Center(
            clock=self._clock,
            fleet=build_fleet(options, self._clock),
            sessions=Sessions(
                Account(options.username, password),
                idle_seconds=options.session_idle_seconds,
                lifetime_seconds=options.session_lifetime_seconds,
                max_per_user=options.max_sessions_per_user,
            ),
            faults=faults,
            recorder=None if options.record is None else Recorder(options.record),
            max_body_bytes=options.max_body_bytes,
        )

    def _directory(self) -> Path:
        given = self._options.directory
        if given is not None:
            given = given.absolute()  # others are told of the files in it
            try:
                given.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise TwinError(f"cannot write to {given}: {error.strerror}") from error
            return given
        self._own_directory = Path(tempfile.mkdtemp(prefix="entropy-bridge-twin-"))
        return self._own_directory

    def _password(self) -> str:
        if self._options.password_file is None:
            return secrets.token_urlsafe(16)
        password = _read(self._options.password_file).decode().removesuffix("\n")
        if not password:
            raise TwinError(f"the password file {self._options.password_file} is empty")
        return password

    def _write_secret(self, directory: Path, password: str) -> Path:
        path = directory / "password"
        path.touch(mode=0o600)
        path.write_text(password + "\n")
        self._written.append(path)
        return path


def _listen(address: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(name)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise NoTwin(
            f"cannot listen on {address} port {port}: {error.strerror}; choose another port"
        ) from error
    return listener


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TwinError(f"cannot read {path}: {error.strerror}") from error


def _rules_of(path: Path) -> list[FaultRule]:
    content = _read(path)
    try:
        return read_rules(content)
    except TwinError as error:
        raise TwinError(f"{path}: {error}") from error


@web.middleware
async def _answer_in_json(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        return error_response(method_not_allowed(error.headers["Allow"]))
    except web.HTTPException:
        return error_response(route_not_found())
    except (ConnectionError, asyncio.CancelledError, web.RequestPayloadError):
        raise
    except Exception:  # noqa: BLE001 - the last line of defence answers in JSON too
        _log.exception("the twin failed on %s %s", request.method, request.path)
        return error_response(internal_error("The twin itself failed; see its log."))
