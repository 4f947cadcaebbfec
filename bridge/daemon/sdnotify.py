"""What systemd is told (sd_notify(3)): ready, stopping, alive."""

from __future__ import annotations

import os
import socket
import time

_EXTEND_SECONDS = 60  # start-up may last as long as the token is away, but not without progress
_BEAT_SECONDS = 1.0


class Notifier:
    """Sends to $NOTIFY_SOCKET, or nowhere when the process is not a notify service."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        self._ready = False
        self._beat = float("-inf")
        self._status = ""

    def ready(self) -> None:
        """Say that start-up is complete."""
        self._ready = True
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that another configuration is being read; `reloaded` ends it."""
        if self._ready:
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def reloaded(self) -> None:
        """Say that the new configuration is in force, or the old one again."""
        if self._ready:
            self._send("READY=1")

    def status(self, status: str) -> None:
        """Set the line that `systemctl status` shows."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that shutdown has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Say that the loop turns: cheap enough to be called on every turn."""
        now = time.monotonic()
        if now - self._beat < _BEAT_SECONDS:
            return
        self._beat = now
        if self._ready:
            self._send("WATCHDOG=1")
        else:
            self._send(f"EXTEND_TIMEOUT_USEC={_EXTEND_SECONDS * 1_000_000}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(address)
                channel.send(message.encode())
        except OSError:
            # systemd is gone or full: it will ask in its own way
            return
