"""The body of an add request: Base64 text that lies in ring slots, sent without being copied here.

Whoever sends it gives the pieces to one EntropyBody and forgets them. The body gives each up as
it is handed to the transport, and all of them on drop(), and lets no exception keep one: the ring
takes a slot back only when nothing refers to it.
"""

import fcntl
from collections import deque
from collections.abc import Callable, Iterable
from termios import TIOCOUTQ
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import WriteTransport

PREFIX = b'{"data":"'
SUFFIX = b'"}'
AROUND_BYTES = len(PREFIX) + len(SUFFIX)

_NOTHING = b"\0\0\0\0"  # an int, as the kernel writes it


class EntropyBody:
    """`{"data":"…"}` around pieces that concatenate to Base64 text; can be sent once.

    A piece is a view of single bytes: transports take its len() for its size.
    `on_start` is called once, in the moment in which the first of the text goes to the transport;
    what it raises calls the body off.
    """

    __slots__ = (
        "_is_claimed",
        "_on_start",
        "_out",
        "_pieces",
        "_transport",
        "called_off",
        "finished",
        "size",
        "started",
    )

    def __init__(self, pieces: Iterable[memoryview], on_start: Callable[[], None]) -> None:
        self._pieces = deque(filter(None, pieces))  # an empty view is false
        if not self._pieces:
            raise ValueError("an add needs at least one byte")
        self.size = AROUND_BYTES + sum(map(len, self._pieces))
        self._on_start: Callable[[], None] | None = on_start
        self._transport: WriteTransport | None = None
        self._is_claimed = False
        self._out = False
        self.called_off: Exception | None = None
        self.started = False
        self.finished = False

    def claim(self, transport: "WriteTransport | None") -> None:
        """Bind the body to the one connection that it is ever sent on."""
        if self._is_claimed:
            raise RuntimeError("entropy is never sent twice")
        self._is_claimed = True
        self._transport = transport

    def start(self) -> None:
        """Say that the first of the text goes now; raises if it cannot, and then it must not."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection was lost before the body was sent")
        if self._on_start is not None:
            try:
                self._on_start()
            except Exception as error:
                self.called_off = error
                raise
            self._on_start = None
        self.started = True

    @property
    def has_more(self) -> bool:
        """Whether pieces are left to be sent."""
        return bool(self._pieces)

    @property
    def is_dropped(self) -> bool:
        """Whether it was given up, and what is left must not be sent."""
        return self._transport is None

    def next_piece(self) -> memoryview:
        """Give up the next piece."""
        return self._pieces.popleft()

    def move_to(self, chunks: "list[bytes | memoryview]", bytes_max: int) -> None:
        """Give up the next pieces: as many as are `bytes_max` together, one at least."""
        pieces = self._pieces
        if self.size <= bytes_max:
            chunks += pieces
            pieces.clear()
            return
        left = bytes_max
        while pieces:
            left -= pieces[0].nbytes
            chunks.append(pieces.popleft())
            if pieces and left < pieces[0].nbytes:
                return

    def is_out(self, *, succeeded: bool = False) -> bool:
        """Whether the other end's kernel has acknowledged all that was handed to the transport.

        The acknowledgement comes with the reply or before it, unless the reply came early. Who
        says that the request has `succeeded` has read it: then the transport's word is enough.
        """
        if not self._out:
            transport = self._transport
            self._out = (
                self.finished
                and transport is not None
                and not transport.is_closing()
                and not transport.get_write_buffer_size()
                and (succeeded or _is_acknowledged(transport))
            )
        return self._out

    def abort(self) -> None:
        """Cut the connection, so that nothing more of the body is sent."""
        if self._transport is not None:
            self._transport.abort()

    def drop(self) -> None:
        """Give up every reference to the pieces, the callback and the connection."""
        self._pieces.clear()
        self._on_start = None
        self._transport = None
        self.called_off = None  # or this and its frames keep each other


def _is_acknowledged(transport: "WriteTransport") -> bool:
    """Whether nothing waits beneath the transport either: TLS has a transport beneath its own."""
    peer = transport.get_extra_info("socket")
    try:
        return fcntl.ioctl(peer.fileno(), TIOCOUTQ, _NOTHING) == _NOTHING
    except OSError:
        return False
