"""Carries out on one HTTP exchange what the fault plan decided: delays, resets, odd replies."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Sequence

from aiohttp import web

from bridge.twin.errors import (
    ApiError,
    host_not_found,
    internal_error,
    service_unavailable,
    throttled,
    too_large,
    unauthenticated,
    unauthorized,
)
from bridge.twin.faults import FaultKind, FaultRule

_PROXY_TEXT = (
    "upstream connect error or disconnect/reset before headers. reset reason: connection timeout"
)
_CHUNK_SECONDS = 0.05


def _again(rule: FaultRule) -> dict[str, str]:
    return {} if rule.retry_after is None else {"Retry-After": rule.retry_after}


_ERRORS: dict[FaultKind, Callable[[FaultRule, str], ApiError]] = {
    FaultKind.UNAUTHENTICATED: lambda _rule, _host: unauthenticated(),
    FaultKind.FORBIDDEN: lambda _rule, _host: unauthorized(),
    FaultKind.NOT_FOUND: lambda _rule, host: host_not_found(host),
    FaultKind.TOO_LARGE: lambda rule, _host: too_large(rule.after_bytes),
    FaultKind.THROTTLED: lambda rule, _host: throttled(_again(rule)),
    FaultKind.ERROR: lambda _rule, _host: internal_error(),
    FaultKind.UNAVAILABLE: lambda rule, _host: service_unavailable(_again(rule)),
}


class ConnectionCut(Exception):
    """The twin broke the connection on purpose; there is nothing to answer any more."""


class Trouble:
    """What goes wrong with one request."""

    def __init__(self, rules: Sequence[FaultRule], host: str | None) -> None:
        self._host = host or "host"
        self._rules = {rule.kind: rule for rule in rules}

    def rule(self, kind: FaultKind) -> FaultRule | None:
        """Return the rule of that kind that struck, if one did."""
        return self._rules.get(kind)

    async def before_body(self, request: web.Request) -> web.StreamResponse | None:
        """Wait, cut, or answer before any of the body was read."""
        if delay := self.rule(FaultKind.DELAY):
            await asyncio.sleep(delay.delay_seconds)
        if self.rule(FaultKind.RESET_BEFORE_BODY):
            cut(request)
        if early := self.rule(FaultKind.EARLY_REPLY):
            response = json_response(early.status, internal_error().body())
            await response.prepare(request)
            await response.write_eof()
            await asyncio.sleep(early.delay_seconds)
            return response
        return None

    async def after_body(self, request: web.Request) -> web.StreamResponse | None:
        """Cut or answer once the body was read and before the host gets anything of it."""
        if self.rule(FaultKind.RESET_AFTER_BODY):
            cut(request)
        if self.rule(FaultKind.STALL):
            while not _is_closed(request):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(_CHUNK_SECONDS)
            raise ConnectionCut
        if rule := self.rule(FaultKind.PROXY_ERROR):
            return web.Response(status=rule.status, text=_PROXY_TEXT)
        if rule := self.rule(FaultKind.REDIRECT):
            return web.Response(status=307, headers={"Location": rule.location})
        error = self._error()
        if error is not None:
            raise error
        return None

    async def deliver(self, request: web.Request, response: web.Response) -> web.StreamResponse:
        """Send the reply, or what becomes of it."""
        if self.rule(FaultKind.LOSE_REPLY):
            cut(request)
        if self.rule(FaultKind.WRONG_CONTENT_TYPE):
            response.content_type = "text/html"
        if self.rule(FaultKind.NOT_JSON):
            response = json_response(200, b'{"capacity": 524288, "status"')
        if self.rule(FaultKind.WRONG_SHAPE):
            response = json_response(200, b'{"unexpected": [true, null]}')
        if huge := self.rule(FaultKind.HUGE_REPLY):
            response = json_response(200, json.dumps("x" * (huge.size_bytes - 2)).encode())
        if self.rule(FaultKind.TRUNCATED_REPLY):
            return await self._send_half(request, response)
        if slow := self.rule(FaultKind.SLOW_REPLY):
            return await self._send_slowly(request, response, slow.bytes_per_second)
        return response

    def _error(self) -> ApiError | None:
        for kind, rule in self._rules.items():
            build = _ERRORS.get(kind)
            if build is not None:
                return build(rule, self._host)
        return None

    async def _send_half(self, request: web.Request, response: web.Response) -> web.StreamResponse:
        body = _body(response)
        half = web.StreamResponse(status=response.status)
        half.content_type = response.content_type
        half.content_length = len(body) + 1
        await half.prepare(request)
        await half.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        raise ConnectionCut

    async def _send_slowly(
        self, request: web.Request, response: web.Response, bytes_per_second: int
    ) -> web.StreamResponse:
        body = _body(response)
        slow = web.StreamResponse(status=response.status)
        slow.content_type = response.content_type
        slow.content_length = len(body)
        await slow.prepare(request)
        piece = max(1, int(bytes_per_second * _CHUNK_SECONDS))
        for start in range(0, len(body), piece):
            await slow.write(body[start : start + piece])
            await asyncio.sleep(piece / bytes_per_second)
        await slow.write_eof()
        return slow


def json_response(status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    """Return a reply that is called JSON, as every reply of the twin is."""
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def cut(request: web.Request) -> None:
    """Reset the connection, so that the client sees ECONNRESET; never returns."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            linger_not = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        transport.abort()
    raise ConnectionCut


def _is_closed(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""
