"""A small request in one piece: head, text and end as one TLS record, not as one each.

A record costs more than to copy what fits into one. The copy is in locked memory and is wiped when
it was handed over; TLS has encrypted it by then.
"""

from typing import TYPE_CHECKING

from bridge.native import secure_memory
from bridge.native.errors import NativeError
from bridge.vcenter.body import PREFIX, SUFFIX

if TYPE_CHECKING:
    from asyncio import WriteTransport

    from bridge.vcenter.body import EntropyBody

RECORD_BYTES = 16 * 1024  # the most that one holds (RFC 8446, section 5.1)
_ZEROS = memoryview(bytes(RECORD_BYTES))


class Envelope:
    """Memory for one request at a time, of any connection over TLS."""

    def __init__(self) -> None:
        """Raise NativeError when no memory can be locked."""
        self._memory = secure_memory(RECORD_BYTES)

    def send(self, head: bytes, body: "EntropyBody", transport: "WriteTransport") -> bool:
        """Send a request over a transport that holds nothing else; False when it does not fit."""
        size = len(head) + body.size
        if size > RECORD_BYTES:
            return False
        whole = self._memory[:size]
        try:
            self._fill(whole, head + PREFIX, body)
            transport.write(whole)
        finally:
            whole[:] = _ZEROS[:size]
        if transport.get_write_buffer_size():
            transport.abort()  # what it has not encrypted yet is not there any more
        return True

    @staticmethod
    def _fill(whole: memoryview, at_front: bytes, body: "EntropyBody") -> None:
        at = len(at_front)
        whole[:at] = at_front
        while body.has_more:
            piece = body.next_piece()
            whole[at : at + len(piece)] = piece
            at += len(piece)
        whole[at:] = SUFFIX
        body.finished = True


def new_envelope() -> Envelope | None:
    """Make one; None when no memory can be locked: then nothing is copied."""
    try:
        return Envelope()
    except NativeError:
        return None
