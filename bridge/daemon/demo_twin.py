"""The twin that the demo feeds: a process of its own, which ends with this one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, Self

_END_SECONDS = 5.0


class TwinFailed(Exception):
    """The twin did not start; one line."""


@dataclass(frozen=True)
class TwinAddress:
    """How to reach the twin."""

    url: str
    ca_file: str
    username: str
    password_file: str


@dataclass
class DemoTwin:
    """Starts and ends the process; a context manager.

    It is started by its module's name: nothing of the running bridge imports the twin.
    """

    hosts: int
    drain_bytes_per_second: float
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    address: TwinAddress | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        # A group of its own, so that Ctrl-C reaches the demo alone, which then ends it in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [
                *(sys.executable, "-I", "-m", "bridge.twin", "--json", "--exit-with-stdin"),
                *("--hosts", str(self.hosts), "--initial-level", "0.08", "--spread", "0.8"),
                *("--drain-bytes-per-second", str(self.drain_bytes_per_second)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        try:
            self.address = self._read_address(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        _close(process.stdin)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process.stdout)
        _close(process.stderr)

    def _read_address(self, process: subprocess.Popen[str]) -> TwinAddress:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            said = process.stderr.read() if process.stderr is not None else ""
            last = (said.strip().splitlines() or ["it ended without a word"])[-1]
            raise TwinFailed(f"the twin did not start: {last}")
        told = json.loads(line)
        return TwinAddress(
            **{key: told[key] for key in ("url", "ca_file", "username", "password_file")}
        )


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        stream.close()
