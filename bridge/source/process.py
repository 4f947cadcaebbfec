# SPDX-License-Identifier: Apache-2.0
"""One source process as its parent sees it: started, heard, ended, reaped.

Everything happens on the event loop's thread, which has to be the main one: the kernel kills the
child when the thread that started it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from bridge.config import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

READ_BYTES = 1 << 16
# What a child tells, and nothing else is believed.
ANSWERS: Mapping[str, type] = {
    "slot": int,
    "label": str,
    "serial": str,
    "model": str,
    "manufacturer": str,
    "login": bool,  # it wants to make one; false once it has
    "error": str,
    "exit": int,
}
ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Give the little that a module may want, and what the configuration adds."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return {**kept, **extra}


def child_command(module: str) -> list[str]:
    """Give the command that runs one of our modules in a fresh interpreter."""
    return [sys.executable, "-I", "-m", module]


class _Lines:
    """Lines from a pipe, which is closed at its end; a line that is too long is cut."""

    def __init__(self, stream: IO[bytes] | None, on_line: Callable[[str], None]) -> None:
        if stream is None:
            raise ValueError("the child has no such stream")
        self._stream = stream
        self._on_line = on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(stream.fileno(), False)
        self._loop.add_reader(stream.fileno(), self._read)

    def hear(self) -> None:
        """Read what is there."""
        while not self._stream.closed and self._read():
            pass

    def drain(self) -> None:
        """Read what is there and close."""
        self.hear()
        self._close()

    def _read(self) -> bool:
        data = self._stream.read(READ_BYTES)
        if not data:
            if data is not None:
                self._close()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > READ_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            if text := line.decode("utf-8", "replace").strip():
                self._on_line(text)
        return True

    def _close(self) -> None:
        if not self._stream.closed:
            self._loop.remove_reader(self._stream.fileno())
            self._stream.close()


class SourceProcess:
    """A child process; `answers` has what it told, `killed_for` why it was killed, if it was."""

    def __init__(
        self,
        module: str,
        line: bytes,
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        on_chatter: Callable[[str], None],
    ) -> None:
        """Start `module` with `line` on its stdin; `on_chatter` gets what the HSM's code prints."""
        self.answers: dict[str, object] = {}
        self.killed_for: str | None = None
        self.ended = asyncio.Event()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._on_chatter = on_chatter
        # Ctrl-C and a call to reload are for the parent; the child ignores them as soon as it can.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            self._popen = subprocess.Popen(  # noqa: S603
                child_command(module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment,
                pass_fds=descriptors,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._pidfd: int | None = os.pidfd_open(self._popen.pid)
        self._loop.add_reader(self._pidfd, self.reap)
        self._answers = _Lines(self._popen.stdout, self._on_answer)
        self._chatter = _Lines(self._popen.stderr, on_chatter)
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):  # it has died already, which will show
                self._popen.stdin.write(line)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, or minus the signal, or None while it is not reaped."""
        return self._popen.returncode

    def hear(self) -> None:
        """Bring `answers` up to date: shared memory may tell sooner what came after them."""
        self._answers.hear()

    @property
    def wants_login(self) -> bool:
        """Whether it waits to hear that it may log in."""
        return bool(self.answers.get("login"))

    def let_log_in(self) -> None:
        """Say so."""
        self.answers["login"] = False
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):
                self._popen.stdin.write(b"\n")

    def ask_to_end(self) -> None:
        """Close its lifeline."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    def kill(self, reason: str) -> None:
        """Kill it, which a process in a system call may outlive for a while."""
        if not self.ended.is_set():
            self.killed_for = self.killed_for or reason
            self._popen.kill()

    async def reaped(self, timeout_seconds: float) -> bool:
        """Wait for its end."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.ended.wait()
        except TimeoutError:
            return False
        return True

    async def rested(self, timeout_seconds: float) -> bool:
        """Wait for its end, but no longer than it has nothing to tell; says whether it ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        self._news.clear()
        return self.ended.is_set()

    def reap(self) -> bool:
        """Reap it if it has ended."""
        if self._popen.poll() is None:
            return False
        self.release()
        self.ended.set()
        self._news.set()
        return True

    def release(self) -> None:
        """Let go of everything but the process itself."""
        self.ask_to_end()
        self._answers.drain()
        self._chatter.drain()
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _on_answer(self, line: str) -> None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            self._on_chatter(line)
            return
        # A vendor's code in the child can write here as well.
        for key, kind in ANSWERS.items():
            value = record.get(key)
            if type(value) is kind:
                self.answers[key] = one_line(value) if isinstance(value, str) else value
        if "login" in record:
            self._news.set()
