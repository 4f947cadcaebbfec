"""One connection: sends a request, reads the reply, and knows when it can be used again."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp

from bridge.vcenter.body import PREFIX, SUFFIX, EntropyBody
from bridge.vcenter.fastpath.reply import ReplyReader
from bridge.vcenter.path import FAILURES, NotHttp
from bridge.vcenter.replies import Reply

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from bridge.vcenter.fastpath.envelope import Envelope

READ_BYTES = 16 * 1024
BATCH_BYTES = 512 * 1024  # of the body, between two looks at whether to go on


class Line(asyncio.BufferedProtocol):
    """A connection that aiohttp made.

    `ended` is called at the end of each exchange, `lost` when the connection has ended, whoever
    ended it. Requests that fit into the envelope go in it, where the transport allows that.
    """

    def __init__(
        self,
        connection: "Connection",
        loop: asyncio.AbstractEventLoop,
        *,
        envelope: "Envelope | None",
        ended: Callable[["Line"], None],
        lost: Callable[["Line"], None],
    ) -> None:
        transport = connection.transport
        handler = connection.protocol
        if transport is None or handler is None or handler.should_close:
            connection.close()  # it ended, or sent something, before anything was asked
            raise aiohttp.ServerDisconnectedError
        self.transport = transport
        self.deadline = 0.0
        self.idle_since = 0.0
        self.n_exchanges = 0
        self.is_over = False  # no further exchange can be made here
        self._connection = connection
        self._handler = handler
        self._loop = loop
        self._ended = ended
        self._lost = lost
        self._buffer = bytearray(READ_BYTES)
        self._bytes = memoryview(self._buffer)
        self._reader: ReplyReader | None = None
        self._failure: Exception | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        # those of the loop join what they are given, which copies it
        self._takes_lists = type(transport).__module__.startswith("uvloop.")
        is_tls = transport.get_extra_info("ssl_object") is not None
        self._envelope = envelope if self._takes_lists and is_tls else None
        transport.set_protocol(self)

    @property
    def is_usable(self) -> bool:
        """Whether the next exchange can be made here."""
        return not self.is_over and not self.transport.is_closing()

    async def exchange(self, head: bytes, body: EntropyBody | None, reply_bytes_max: int) -> Reply:
        """Make one exchange; raises one of FAILURES when no status came."""
        self.n_exchanges += 1
        reader = self._reader = ReplyReader(reply_bytes_max)
        done = False
        try:
            if body is None:
                self.transport.write(head)
            else:
                body.claim(self.transport)
                try:
                    body.start()
                except Exception:  # noqa: BLE001 - whoever gave the body may call it off
                    raise aiohttp.ClientConnectionError("nothing was sent") from None
                envelope = self._envelope
                if envelope is None or not envelope.send(head, body, self.transport):
                    self._write([head + PREFIX], body)
                    if not body.finished:
                        await self._send_more(body, reader)
            while not reader.status:
                await self._event()
            if body is not None and not body.is_out(succeeded=reader.status < 300):
                # answered before all of it was there: the line is cut as soon as this returns
                reader.early = not body.finished
                if not reader.is_complete:
                    reader.trouble = self._failure if body.finished else None
                    reader.gather()
            else:
                if not reader.is_complete:
                    await self._read_more(reader)
                done = reader.keep_alive and reader.trouble is None
            return reader
        finally:
            self._reader = None
            if not done:
                self.abort()
            self._ended(self)

    def _write(self, chunks: list[bytes | memoryview], body: EntropyBody) -> None:
        """Hand over what comes first, the next pieces, and the end after the last of them."""
        body.move_to(chunks, BATCH_BYTES)
        if not body.has_more:
            chunks.append(SUFFIX)
            body.finished = True
        if self._takes_lists:
            self.transport.writelines(chunks)
        else:
            for chunk in chunks:
                self.transport.write(chunk)

    async def _send_more(self, body: EntropyBody, reader: ReplyReader) -> None:
        while body.has_more and not reader.status:
            if self._paused or self.is_over:
                await self._event()
            else:
                self._write([], body)

    async def _read_more(self, reader: ReplyReader) -> None:
        """Read until the reply is complete, or never will be."""
        try:
            while not reader.is_complete:
                await self._event()
        except FAILURES as error:
            reader.trouble = error.with_traceback(None)
            reader.gather()

    def _event(self) -> asyncio.Future[None]:
        """Return what is done when something has happened; raises if the connection is over."""
        if self.is_over:
            failure, self._failure = self._failure, None
            try:
                raise failure or aiohttp.ServerDisconnectedError
            finally:
                del failure  # or this frame and the exception keep each other
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, failure: Exception) -> None:
        if not self.is_over:
            self.is_over = True
            self._failure = failure
        self._wake()

    def time_out(self) -> None:
        """End the exchange that runs."""
        self._fail(TimeoutError())

    def abort(self) -> None:
        """End the connection at once; nothing that waits in it is sent any more."""
        self._fail(aiohttp.ServerDisconnectedError())
        self.transport.abort()
        self._connection.close()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Offer where to read to."""
        return self._bytes

    def buffer_updated(self, nbytes: int) -> None:
        """Read on in the reply; whatever nobody asked for ends the connection."""
        reader = self._reader
        if reader is None:
            self.abort()
            return
        try:
            reader.feed(bytes(self._bytes[:nbytes]))
        except NotHttp as error:
            self._fail(error.with_traceback(None))
        if reader.status:
            self._wake()

    def pause_writing(self) -> None:
        """Stop handing over: the transport holds enough."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange that runs, and give aiohttp its connection back."""
        if self._reader is not None:
            if exc is None:
                self._reader.feed_end()
            if self._reader.status and not self._reader.is_complete:
                self._fail(aiohttp.ClientPayloadError())
        if exc is None:
            self._fail(aiohttp.ServerDisconnectedError())
        elif isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):
            self._fail(aiohttp.ClientOSError(*exc.args))
        else:
            self._fail(aiohttp.ClientConnectionError())
        self._handler.connection_lost(exc)
        self._connection.close()
        self._lost(self)
