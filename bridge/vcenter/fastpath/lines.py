"""The connections of a fast path: so many at a time, used again, each exchange within its time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp

from bridge.vcenter.fastpath.line import Line
from bridge.vcenter.path import KEEP_ALIVE_SECONDS

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from bridge.vcenter.fastpath.envelope import Envelope


class Lines:
    """At most `limit` connections, each made by `connect`; who comes first is served first."""

    def __init__(
        self,
        connect: Callable[[], Awaitable["Connection"]],
        loop: asyncio.AbstractEventLoop,
        limit: int,
        envelope: "Envelope | None" = None,
    ) -> None:
        self._connect = connect
        self._loop = loop
        self._envelope = envelope
        self._limit = limit
        self._free = limit  # less than none while there are more than a lowered limit allows
        self._idle: list[Line] = []  # the one used last is last
        self._busy: set[Line] = set()
        self._waiters: deque[asyncio.Future[Line | None]] = deque()
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take_idle(self, now: float, deadline: float) -> Line | None:
        """Return a connection that is there, if one is; see `take`."""
        oldest = now - KEEP_ALIVE_SECONDS
        while self._idle:
            line = self._idle.pop()
            if line.idle_since >= oldest and line.is_usable:
                return self._taken(line, deadline)
            line.abort()
            self._pass_on(None)
        return None

    async def take(self, deadline: float) -> Line:
        """Return a connection for one exchange, which times out from `deadline` on.

        Raises TimeoutError when there is none by then, or what aiohttp raises in connecting.
        """
        async with asyncio.timeout_at(deadline):
            line = await self._another()
        return self._taken(line, deadline)

    def _taken(self, line: Line, deadline: float) -> Line:
        line.deadline = deadline
        self._busy.add(line)
        if self._deadline_timer is None:
            self._deadline_timer = self._loop.call_at(deadline, self._end_the_overdue)
        return line

    def _take_back(self, line: Line) -> None:
        """Take a connection back whose exchange has ended, to be used again if it can be."""
        self._busy.discard(line)
        if self._closed or line.is_over:
            line.abort()
            self._pass_on(None)
        else:
            line.idle_since = self._loop.time()
            self._pass_on(line)

    def allow(self, limit: int) -> None:
        """Have at most `limit` from now on; those in use go when they are given back."""
        more, self._limit = limit - self._limit, limit
        for _ in range(more):
            self._pass_on(None)
        self._free += min(0, more)
        while self._free < 0 and self._idle:
            self._idle.pop(0).abort()
            self._free += 1

    def close(self) -> None:
        """Refuse whoever waits; the connections are aiohttp's to close."""
        self._closed = True
        for timer in (self._deadline_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(aiohttp.ClientConnectionError("the client is closed"))
        self._waiters.clear()

    async def _another(self) -> Line:
        """Wait for a connection that somebody gives back, or make one."""
        if self._free > 0:
            self._free -= 1
        else:
            line = await self._wait()
            if line is not None and line.is_usable:
                return line
        try:
            connection = await self._connect()
            return Line(
                connection,
                self._loop,
                envelope=self._envelope,
                ended=self._take_back,
                lost=self._forget,
            )
        except BaseException:
            self._pass_on(None)
            raise

    async def _wait(self) -> Line | None:
        """Wait for one's turn: for a connection, or None for the right to make one."""
        waiter: asyncio.Future[Line | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())  # it came too late
            else:
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            raise

    def _pass_on(self, line: Line | None) -> None:
        """Give a connection, or None for the right to make one, to whoever waits longest."""
        while self._waiters and self._free >= 0:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(line)
                return
        if line is None or self._free < 0:
            if line is not None:
                line.abort()
            self._free += 1
            return
        self._idle.append(line)
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(KEEP_ALIVE_SECONDS, self._end_the_unused)

    def _forget(self, line: Line) -> None:
        """Note that a connection has ended; one in use is counted when it is given back."""
        if line in self._idle:
            self._idle.remove(line)
            self._pass_on(None)

    def _end_the_overdue(self) -> None:
        now = self._loop.time()
        waiting = []
        for line in self._busy:
            if line.deadline <= now:
                line.time_out()
            else:
                waiting.append(line.deadline)
        self._deadline_timer = None
        if waiting:
            self._deadline_timer = self._loop.call_at(min(waiting), self._end_the_overdue)

    def _end_the_unused(self) -> None:
        oldest = self._loop.time() - KEEP_ALIVE_SECONDS
        while self._idle and self._idle[0].idle_since <= oldest:
            line = self._idle.pop(0)
            line.abort()
            self._pass_on(None)
        self._idle_timer = None
        if self._idle:
            soon = self._idle[0].idle_since + KEEP_ALIVE_SECONDS
            self._idle_timer = self._loop.call_at(soon, self._end_the_unused)
