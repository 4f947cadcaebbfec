"""An entropy body as aiohttp's client wants it."""

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from bridge.vcenter.body import PREFIX, SUFFIX, EntropyBody


class EntropyPayload(Payload):
    """Sends a body piece by piece; holds nothing of it but the body."""

    def __init__(self, body: EntropyBody) -> None:
        super().__init__(None, content_type="application/json")
        self._size = body.size
        self._body = body
        self._consumed = False  # aiohttp's own, in its newer releases

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        """Refuse: the text is never gathered."""
        raise TypeError("the entropy in a body is not to be read")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it, at the pace of the connection."""
        self._body.claim(writer.transport)
        self._consumed = True
        try:
            await self._send(writer)
        except BaseException as error:  # noqa: BLE001 - it goes on, but without its frames
            # which hold a piece, as those of its cause may
            error.__context__ = None
            raise error.with_traceback(None) from None
        self._body.finished = True

    async def _send(self, writer: AbstractStreamWriter) -> None:
        body = self._body
        # first and alone: aiohttp joins the headers with the first chunk, which copies it
        await writer.write(PREFIX)
        while body.has_more:
            if not body.started:
                body.start()
            await writer.write(body.next_piece())
            await writer.drain()
        if body.is_dropped:
            raise ConnectionResetError("the body was dropped while it was sent")
        await writer.write(SUFFIX)
