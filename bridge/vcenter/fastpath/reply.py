"""Reads one HTTP reply, strictly: whatever could be understood in two ways is not HTTP."""

import re
from enum import IntEnum

from multidict import CIMultiDict

from bridge.vcenter.path import NotHttp
from bridge.vcenter.replies import Reply

HEAD_BYTES_MAX = 32 * 1024
CHUNK_LINE_BYTES_MAX = 1024

# possessive, so that time does not grow faster than length, whatever comes
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
_STATUS_LINE = rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: " + _TEXT + rb")?\r\n"
_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_FIELD = _NAME + rb":" + _TEXT + rb"\r\n"
_HEAD = re.compile(_STATUS_LINE + rb"(?:" + _FIELD + rb")*+\r\n")
# a head that needs no second look: a success of one length, and nothing else about framing
_OTHERS = (
    rb"(?:(?:(?![Cc][Oo][Nn]|[Tt][Rr])" + _NAME + rb"|[Cc]ontent-[Tt]ype):" + _TEXT + rb"\r\n"
    rb"|[Cc]onnection: keep-alive\r\n)*+"
)
_USUAL = re.compile(
    rb"HTTP/1\.1 200(?: "
    + _TEXT
    + rb")?\r\n"
    + _OTHERS
    + rb"[Cc]ontent-[Ll]ength:[ \t]*+([0-9]{1,15})[ \t]*+\r\n"
    + _OTHERS
    + rb"\r\n"
)
_BEGUN_HEAD = re.compile(_STATUS_LINE)
_TRAILER = re.compile(_FIELD)
# in a head whose letters were made small
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding|connection):([^\r]*+)")
_TELLING = re.compile(rb"\n(retry-after|date|location):([^\r]*+)")
_EXTENSION = rb";[!#$%&'*+.^_`|~0-9A-Za-z-]++(?:=[!#$%&'*+.^_`|~0-9A-Za-z-]++)?"
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:" + _EXTENSION + rb")*+")
_LENGTH_DIGITS_MAX = 15
_BLANK = b" \t"
_WITHOUT_PAYLOAD = (204, 304)


class _Part(IntEnum):
    HEAD = 0
    SIZED = 1  # as many bytes as the head says
    CHUNK_LINE = 2
    CHUNK = 3
    CHUNK_END = 4
    TRAILERS = 5
    UNTIL_END = 6  # of the connection
    DONE = 7


# an enum's own attributes are slow to look up, and every reply does
_AT_HEAD = _Part.HEAD
_AT_SIZED = _Part.SIZED
_AT_CHUNK_LINE = _Part.CHUNK_LINE
_UNTIL_END = _Part.UNTIL_END
_DONE = _Part.DONE


class ReplyReader(Reply):
    """One reply, fed as it comes. `payload_bytes_max` bounds what is kept of it.

    `status` is 0 until the final head was read, and `payload` empty until it is complete, or
    `gather` is asked for what is there. Of the headers only those are kept that anybody asks for,
    and of a success none.
    """

    __slots__ = ("_chunks", "_held", "_left", "_part", "_payload_bytes_left", "keep_alive")

    def __init__(self, payload_bytes_max: int) -> None:
        self.status = 0
        self.payload = b""
        self.headers: CIMultiDict[str] | None = None
        self.trouble = None
        self.too_large = False
        self.early = False
        self.keep_alive = False
        self._payload_bytes_left = payload_bytes_max
        self._part = _AT_HEAD
        self._held = b""
        self._left = 0
        self._chunks: list[bytes] = []

    @property
    def is_complete(self) -> bool:
        """Whether the reply has ended, or nothing more of it is wanted."""
        return self._part is _DONE

    def gather(self) -> None:
        """Make `payload` what came of it; empty when it is too large."""
        self.payload = b"".join(self._chunks)

    def feed(self, data: bytes) -> None:
        """Read on; raises NotHttp, also for bytes after the end."""
        if self._held:
            data = self._held + data
            self._held = b""
        elif self._part is _AT_HEAD and self._read_usual(data):
            return
        while data:
            part = self._part
            if part is _AT_HEAD:
                data = self._read_head(data)
            elif part is _AT_SIZED or part is _Part.CHUNK:
                data = self._read_sized(data)
            elif part is _DONE:
                if self.too_large:
                    return
                raise NotHttp("bytes after the end")
            elif part is _UNTIL_END:
                self._keep(data)
                return
            else:
                data = self._read_between_chunks(data)

    def feed_end(self) -> None:
        """Say that the connection has ended in good order, which ends some replies."""
        if self._part is _UNTIL_END:
            self._complete()

    def _read_usual(self, data: bytes) -> bool:
        """Read a whole success at once, if that is what it is, as nearly always."""
        head = _USUAL.match(data)
        if head is None:
            return False
        end = head.end()
        n_bytes = len(data) - end
        if int(head[1]) != n_bytes or n_bytes > self._payload_bytes_left or end > HEAD_BYTES_MAX:
            return False
        self.status = 200
        self.keep_alive = True
        self.payload = data[end:]
        self._part = _DONE
        return True

    def _read_head(self, data: bytes) -> bytes:
        head = _HEAD.match(data)
        if head is None:
            self._hold_head(data)
            return b""
        end = head.end()
        if end > HEAD_BYTES_MAX:
            raise NotHttp("a head that is too long")
        status = int(head[2])
        if status < 200:
            if status == 101:
                raise NotHttp("another protocol")
            return data[end:]
        self.keep_alive = head[1] == b"1"
        self._read_framing(data[:end].lower())
        if status >= 300:
            self._read_headers(data[:end])
        self.status = status
        if status in _WITHOUT_PAYLOAD:
            self._part = _DONE
        elif self._part is _UNTIL_END:
            self.keep_alive = False
        elif self._left > self._payload_bytes_left:
            self._refuse()
        return data[end:]

    def _hold_head(self, data: bytes) -> None:
        """Wait for more, if this may still become a head."""
        if len(data) > HEAD_BYTES_MAX:
            raise NotHttp("a head that is too long")
        if b"\r\n\r\n" in data:
            raise NotHttp("a head line that is none")
        if b"\n" in data:
            if _BEGUN_HEAD.match(data) is None:
                raise NotHttp("no status line")
        elif not b"HTTP/1.".startswith(data[:7]):
            raise NotHttp("no status line")
        self._held = data

    def _read_headers(self, head: bytes) -> None:
        self.headers = CIMultiDict()
        for field in _TELLING.finditer(head.lower()):
            value = head[field.start(2) : field.end(2)].strip(_BLANK)
            self.headers.add(field[1].decode("ascii"), value.decode("latin-1"))

    def _read_framing(self, head: bytes) -> None:
        """Set `_part` and `_left` for what follows."""
        length: bytes | None = None
        self._part = _UNTIL_END
        for name, value in _FRAMING.findall(head):
            if name == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value
            elif length is not None or self._part is _AT_CHUNK_LINE:
                raise NotHttp("two lengths")
            elif name == b"content-length":
                length = value.strip(_BLANK)
            elif value.strip(_BLANK) == b"chunked":
                self._part = _AT_CHUNK_LINE
            else:
                raise NotHttp("a coding that was not asked for")
        if length is not None:
            if not length.isdigit() or len(length) > _LENGTH_DIGITS_MAX:
                raise NotHttp("a length that is no number")
            self._left = int(length)
            self._part = _AT_SIZED if self._left else _DONE

    def _read_sized(self, data: bytes) -> bytes:
        left = self._left
        chunk = data if len(data) <= left else data[:left]
        self._left = left - len(chunk)
        self._keep(chunk)
        if not self._left and not self.too_large:
            if self._part is _AT_SIZED:
                self._complete()
            else:
                self._part = _Part.CHUNK_END
        return data[left:]

    def _read_between_chunks(self, data: bytes) -> bytes:
        line, found, rest = data.partition(b"\r\n")
        if len(line) > CHUNK_LINE_BYTES_MAX:
            raise NotHttp("a chunk's line that is too long")
        if not found:
            if b"\n" in line or (self._part is _Part.CHUNK_END and line != b"\r"):
                raise NotHttp("a chunk that is none")
            self._held = data
            return b""
        if self._part is _Part.CHUNK_END:
            if line:
                raise NotHttp("a chunk that does not end")
            self._part = _AT_CHUNK_LINE
        elif self._part is _Part.TRAILERS:
            if not line:
                self._complete()
            elif _TRAILER.fullmatch(line + b"\r\n") is None:
                raise NotHttp("a trailer that is none")
            else:
                self._count(len(line))  # or there would be no end to them
        else:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None:
                raise NotHttp("a chunk's size that is no number")
            self._left = int(size[1], 16)
            self._part = _Part.CHUNK if self._left else _Part.TRAILERS
        return rest

    def _complete(self) -> None:
        self._part = _DONE
        self.gather()

    def _keep(self, data: bytes) -> None:
        self._chunks.append(data)
        self._count(len(data))

    def _count(self, n_bytes: int) -> None:
        self._payload_bytes_left -= n_bytes
        if self._payload_bytes_left < 0:
            self._refuse()

    def _refuse(self) -> None:
        self.too_large = True
        self.keep_alive = False
        self._chunks.clear()
        self._part = _DONE
