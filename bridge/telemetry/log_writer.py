"""A thread that writes the log, so that nothing that logs ever waits for a reader.

A journal that hangs, a pager or a paused terminal takes no more bytes at some point, and the
write after that would hold up the feeding.
"""

import io
import os
import select
import threading
from collections import deque
from typing import IO, Self

import structlog

LINES_MAX = 10_000
_LAST_SECONDS = 1.0


class LogWriter(io.TextIOBase):
    """Takes lines for a stream; a context manager, which writes what is left at its end.

    When LINES_MAX wait, more are dropped, and their number is logged when the others are written.
    On a stream that is broken nothing is written.
    """

    def __init__(self, stream: IO[str], lines_max: int = LINES_MAX) -> None:
        # Not through the stream: a thread that is stuck in there would hold its lock for good. And
        # a descriptor of its own: it may be stuck when somebody else has closed the stream.
        self._descriptor = os.dup(stream.fileno())
        self._lines_max = lines_max
        self._lines: deque[str] = deque()
        self._n_dropped = 0
        self._is_closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_LAST_SECONDS)

    def fileno(self) -> int:
        """Return the descriptor that is written to."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Take a line, or drop it."""
        with self._changed:
            if len(self._lines) < self._lines_max:
                self._lines.append(text)
                self._changed.notify()
            else:
                self._n_dropped += 1
        return len(text)

    def _write_all(self) -> None:
        while line := self._next():
            try:
                self._write_line(line.encode(errors="backslashreplace"))
            except OSError:
                continue  # a full disk may have room for the next one
        os.close(self._descriptor)

    def _next(self) -> str:
        """Wait for a line; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._is_closing)
            line = self._lines.popleft() if self._lines else ""
            n_dropped = 0 if self._lines else self._n_dropped
            self._n_dropped -= n_dropped
        if n_dropped:
            structlog.stdlib.get_logger().warning("lines of the log were dropped", lines=n_dropped)
        return line

    def _write_line(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
