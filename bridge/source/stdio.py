# SPDX-License-Identifier: Apache-2.0
"""The standard streams of a source process.

Modules print to stdout and stderr as they like. So the answers to the parent go through a private
copy of stdout, and stdout itself becomes stderr. Stdin carries one line, another one when the
process may log in, and stays open for as long as the parent wants the process to live.
"""

from __future__ import annotations

import json
import os
import select
import sys
from contextlib import suppress
from typing import Any

STDIN = 0
LINE_BYTES_MAX = 1 << 16


class Stdio:
    """The parent's line, its lifeline, and the way back."""

    def __init__(self) -> None:
        self._answers = os.dup(1)  # not inheritable
        os.dup2(2, 1, inheritable=True)
        sys.stdout = sys.stderr
        self._poll = select.poll()
        self._poll.register(STDIN, select.POLLIN)

    def read_line(self) -> bytes:
        """Read the parent's one line; empty when there is none."""
        line = b""
        while not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
            more = os.read(STDIN, LINE_BYTES_MAX)
            if not more:
                return b""
            line += more
        return line

    def parent_waits(self, timeout_ms: int) -> bool:
        """Sleep, but no longer than the parent keeps stdin open; False when it does not."""
        for _, events in self._poll.poll(timeout_ms):
            if not events & select.POLLIN or not os.read(STDIN, LINE_BYTES_MAX):
                return False
        return True

    def permitted(self, timeout_ms: int) -> bool | None:
        """Wait for a word of the parent; None while there is none, False when it has gone."""
        if not self._poll.poll(timeout_ms):
            return None
        return bool(os.read(STDIN, LINE_BYTES_MAX))

    def answer(self, **record: Any) -> None:
        """Write a line of JSON to the parent, if it is still there."""
        with suppress(BrokenPipeError):
            os.write(self._answers, json.dumps(record).encode() + b"\n")
