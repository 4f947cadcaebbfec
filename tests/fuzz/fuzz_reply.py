"""Any bytes as an HTTP reply, cut anywhere: the fast reader understands the same or refuses.

What it takes for a whole reply, aiohttp takes for the same one.
"""

import asyncio
import sys

import atheris
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser

from bridge.vcenter.fastpath.reply import ReplyReader
from bridge.vcenter.path import NotHttp

PAYLOAD_BYTES_MAX = 1000
LOOP = asyncio.new_event_loop()


def read(data: bytes, cuts: list[int]) -> ReplyReader | None:
    """Feed it in pieces; None when it is not HTTP."""
    reader = ReplyReader(PAYLOAD_BYTES_MAX)
    try:
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            reader.feed(data[start:stop])
    except NotHttp:
        return None
    return reader


def meaning(reader: ReplyReader | None) -> object:
    if reader is None or not reader.is_complete:
        return reader is None
    headers = None if reader.headers is None else list(reader.headers.items())
    return reader.status, reader.payload, reader.keep_alive, reader.too_large, headers


def as_aiohttp_does(data: bytes, reader: ReplyReader) -> None:
    parser = HttpResponseParser(
        BaseProtocol(LOOP), LOOP, 1 << 16, auto_decompress=False, read_until_eof=True
    )
    messages, _, _ = parser.feed_data(data)
    message, payload = next(both for both in messages if both[0].code >= 200)
    assert message.code == reader.status
    assert payload.read_nowait() == reader.payload
    assert reader.keep_alive is not message.should_close


def one_input(data: bytes) -> None:
    """Two bytes say where it is cut; the rest is what comes."""
    places, data = data[:2], data[2:]
    cuts = sorted(min(place, len(data)) for place in places)
    whole = read(data, [])
    assert meaning(read(data, cuts)) == meaning(whole)
    if len(data) < 300:
        assert meaning(read(data, list(range(1, len(data))))) == meaning(whole)
    if whole is not None and whole.is_complete and not whole.too_large:
        as_aiohttp_does(data, whole)


if __name__ == "__main__":
    atheris.instrument_all()  # an import hook would miss what is installed in place
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
