"""A terminal of 80 columns and 24 lines, and what a command shows in it."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Self

_PATIENCE_SECONDS = 60.0


class Terminal:
    """`with Terminal() as terminal:`; `text` has all that was shown, escape sequences and all."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.text = ""
        self._started: list[subprocess.Popen[bytes]] = []
        self._main, self._end = os.openpty()
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        os.close(self._end)
        self.hang_up()

    def hang_up(self) -> None:
        """Close it, as a window is closed; no signal says so to what runs in it."""
        if self._main >= 0:
            os.close(self._main)
            self._main = -1

    def run(self, *words: object, term: str = "xterm") -> subprocess.Popen[bytes]:
        """Start `entropy-bridge WORDS` in it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", *map(str, words)],
            stdin=self._end,
            stdout=self._end,
            stderr=self._end,
            env=os.environ | {"TERM": term},
        )
        self._started.append(process)
        return process

    def read_until(self, words: str) -> None:
        """Read until `words` stand there."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while words not in self.text:
            ready, _, _ = select.select([self._main], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {words!r} in {self.text!r}"
            self.text += os.read(self._main, 65536).decode("utf-8", "replace")
