"""One HTTP exchange of any face: faults, reading the body, the operation, the record."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bridge.twin.addspec import read_part
from bridge.twin.center import Center
from bridge.twin.errors import ApiError, ErrorType, too_large
from bridge.twin.faults import FaultKind, Operation
from bridge.twin.pool import Added
from bridge.twin.readings import MalformedBody, OverfillKeeps
from bridge.twin.recorder import Entry
from bridge.twin.trouble import ConnectionCut, Trouble, cut

_CHUNK_SECONDS = 0.05


@dataclass(slots=True)
class Call:
    """A request as an operation sees it: read whole, not yet judged.

    `raw` is the entropy of an addition that was well-formed; else `malformed` says why not.
    """

    request: web.Request
    host: str
    entry: Entry
    body: bytes = b""
    raw: bytes = b""
    malformed: ApiError | None = None
    refused_status: int = 0

    def note(self, added: Added, kept: OverfillKeeps) -> None:
        """Put into the record what became of an addition."""
        self.entry.capacity_bytes = added.levels.capacity_bytes
        self.entry.available_before_bytes = added.available_before_bytes
        self.entry.room_bytes = added.room_bytes
        self.entry.accepted_bytes = added.accepted_bytes
        self.entry.kept = kept.value


Act = Callable[[Call], web.Response]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the faces: how an error looks and how an addition is read."""

    error_response: Callable[[ApiError], web.Response]
    read_addition: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; a face that had to read the body first passes it on."""

    center: Center
    dialect: Dialect
    request: web.Request
    operation: Operation
    host: str | None
    act: Act
    body: bytes | None = None

    async def run(self) -> web.StreamResponse:
        """Answer the request and write it down."""
        center = self.center
        now = center.clock.now()
        center.counts.requests += 1
        host = center.fleet.hosts.get(self.host or "")
        name = None if host is None else host.name
        rules = center.faults.strike(self.operation, self.host, now, name)
        kinds = tuple(rule.kind.value for rule in rules)
        entry = Entry(self.operation.value, self.host, center.clock.wall(now), faults=kinds)
        call = Call(self.request, self.host or "", entry)
        trouble = Trouble(rules, self.host) if rules else None
        try:
            response = await self._answer(call, trouble)
            entry.status = call.refused_status or response.status
        except (ConnectionCut, ConnectionError):  # one of the two has left
            response = web.Response()
        finally:
            self._note(call)
        return response

    async def _answer(self, call: Call, trouble: Trouble | None) -> web.StreamResponse:
        try:
            if trouble is not None:
                self._change_the_world(trouble)
                early = await trouble.before_body(call.request)
                if early is not None:
                    return early
            if self.body is None:
                await self._read(call, trouble)
            else:
                call.body = self.body
            call.entry.body_bytes = len(call.body)
            if self.operation is Operation.POOL_ADD:
                self._read_addition(call)
            if trouble is not None:
                instead = await trouble.after_body(call.request)
                if instead is not None:
                    return instead
            response = self.act(call)
        except ApiError as error:
            call.refused_status = error.status
            response = self.dialect.error_response(error)
        return response if trouble is None else await trouble.deliver(call.request, response)

    def _change_the_world(self, trouble: Trouble) -> None:
        center = self.center
        if trouble.rule(FaultKind.EXPIRE_SESSIONS):
            center.sessions.expire_all()
        if jump := trouble.rule(FaultKind.JUMP_TIME):
            center.clock.jump(jump.jump_seconds)
        if trouble.rule(FaultKind.VANISH) and self.host in center.fleet.hosts:
            center.fleet.remove_host(self.host)

    def _read_addition(self, call: Call) -> None:
        try:
            call.raw = self.dialect.read_addition(call.body)
            call.entry.decoded = True
        except ApiError as error:
            if self.center.readings.malformed_body is MalformedBody.UNEXPECTED_INPUT:
                error.error_type = ErrorType.UNEXPECTED_INPUT
            call.malformed = error

    async def _read(self, call: Call, trouble: Trouble | None) -> None:
        content, limit = call.request.content, self.center.max_body_bytes
        slow = trouble.rule(FaultKind.SLOW_READ) if trouble else None
        broken = trouble.rule(FaultKind.RESET_MID_BODY) if trouble else None
        rate = slow.bytes_per_second if slow else 0
        piece = max(1, int(rate * _CHUNK_SECONDS))
        chunks: list[bytes] = []
        length = 0
        try:
            while not content.at_eof():
                chunk = await (content.read(piece) if slow else content.readany())
                chunks.append(chunk)
                length += len(chunk)
                refuse_too_long(length, limit)
                if broken and length >= broken.after_bytes:
                    cut(call.request)
                if slow:
                    await asyncio.sleep(len(chunk) / rate)
        except BaseException:
            call.entry.partial = True
            raise
        finally:
            call.body = b"".join(chunks)
            call.entry.body_bytes = length

    def _note(self, call: Call) -> None:
        entry, center = call.entry, self.center
        key = f"{entry.operation} {entry.status}"
        center.counts.answers[key] = center.counts.answers.get(key, 0) + 1
        if center.recorder is None:
            return
        raw = call.raw
        if self.operation is Operation.POOL_ADD and not entry.decoded:
            raw = read_part(call.body)
        center.recorder.write(entry, raw)


def refuse_too_long(length_bytes: int, limit_bytes: int) -> None:
    """Raise what a body longer than the limit is answered with."""
    if length_bytes > limit_bytes:
        raise too_large(limit_bytes)
