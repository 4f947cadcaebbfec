"""The process in which a twin plays a scenario; it ends with this one."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from bridge.daemon.demo_twin import TwinAddress, TwinFailed

if TYPE_CHECKING:
    from collections.abc import Callable

_END_SECONDS = 5.0
_REPORT_SECONDS = 30.0
_LINE_BYTES_MAX = 64 * 1024 * 1024


class Player:
    """An async context manager; `address` is valid inside.

    It is started by its module's name: nothing of the running bridge imports the twin. What it
    is told and tells are lines of JSON that only the caller understands.
    """

    address: TwinAddress

    def __init__(self, order: bytes) -> None:
        """`order` is the line that says what to play."""
        self._order = order
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        # A session of its own, so that Ctrl-C reaches the rehearsal alone, which then ends it.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "bridge.twin.scenario_play"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES_MAX,
            start_new_session=True,
        )
        try:
            await self._tell(self._order)
            told = json.loads(await self._line())
            self.address = TwinAddress(
                **{key: told[key] for key in ("url", "ca_file", "username", "password_file")}
            )
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def play(self, show: Callable[[bytes], bool]) -> None:
        """Let the scenario's time run; returns when `show`, given each line, says so."""
        await self._tell(b"begin\n")
        while not show(await self._line()):
            pass

    async def report(self) -> bytes:
        """Ask what became of everyone."""
        await self._tell(b"report\n")
        return await asyncio.wait_for(self._line(), _REPORT_SECONDS)

    async def _tell(self, line: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise TwinFailed("the twin is not there")
        with suppress(ConnectionError):
            self._process.stdin.write(line)
            await self._process.stdin.drain()

    async def _line(self) -> bytes:
        process = self._process
        line = await process.stdout.readline() if process and process.stdout else b""
        if line:
            return line
        said = await process.stderr.read() if process and process.stderr else b""
        last = (said.decode(errors="replace").strip().splitlines() or ["without a word"])[-1]
        raise TwinFailed(f"the twin ended: {last}")
