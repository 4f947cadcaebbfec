"""A vCenter that costs nearly nothing, as the far end of benchmarks where the twin is the limit.

`with FarEnd(hosts=2500) as far:` builds it with the system's C compiler (and OpenSSL's headers:
`apt-get install gcc libssl-dev`), starts it on loopback with a CA of its own, and ends it. It holds
every host's level, lets it fall by time, discards and counts what is sent over capacity, and keeps
the longest time that a host was left alone. Nothing of it checks a client beyond that.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from types import TracebackType

COMPILER = ("cc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
CAPACITY_BYTES = 512 * 1024  # ESXi's defaults, as for the two below
WATERMARK_BYTES = CAPACITY_BYTES // 5
TIMEOUT_SECONDS = 60
SESSION = "far-end-session"


@dataclass(frozen=True)
class Count:
    """What the far end says; bytes are raw. The counters run since `count_anew`."""

    hosts: int
    below_watermark: int  # hosts, now
    dry: int  # hosts, now
    lowest_bytes: int
    held_bytes: int  # of all hosts
    looks: int
    adds: int
    sent_bytes: int
    over_bytes: int  # that there was no room for
    late: int  # contacts later than a third of the timeout
    lost: int  # contacts later than the timeout
    longest_gap_seconds: float
    dry_host_seconds: float
    malformed: int  # requests
    connections: int
    now: float

    @property
    def requests(self) -> int:
        return self.looks + self.adds


class FarEnd:
    """One vCenter with `hosts` hosts, empty ones that use nothing, until it is told otherwise."""

    def __init__(
        self,
        hosts: int,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        watermark_bytes: int = WATERMARK_BYTES,
        timeout_seconds: int = TIMEOUT_SECONDS,
        tls: str = "1.3",
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="far-end-")
        here = Path(self._directory.name)
        ca = trustme.CA()
        self.ca_file = here / "ca.pem"
        self.password_file = here / "password"
        ca.cert_pem.write_to_path(str(self.ca_file))
        self.password_file.write_text("secret")
        self.password_file.chmod(0o600)
        server = here / "server.pem"
        ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(server))
        program = here / "far_end"
        sources = sorted(Path(__file__).parent.glob("*.c"))
        subprocess.run([*COMPILER, "-o", program, *sources, "-lssl", "-lcrypto", "-lm"], check=True)
        shape = (hosts, capacity_bytes, watermark_bytes, timeout_seconds)
        self.process = subprocess.Popen(
            [program, server, tls, *map(str, shape)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = f"https://localhost:{int(self.process.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.communicate()
        self._directory.cleanup()

    @property
    def table(self) -> dict[str, object]:
        """Its [vcenter.NAME] in a configuration."""
        return {
            "url": self.url,
            "username": "bridge",
            "password_file": self.password_file,
            "ca_file": self.ca_file,
        }

    def count(self) -> Count:
        """How things stand."""
        return self._say("say")

    def count_anew(self) -> Count:
        """Begin all counters at 0."""
        return self._say("count")

    def set_level(self, n_bytes: float) -> Count:
        """Let every host hold so much."""
        return self._say(f"level {n_bytes}")

    def set_drain(self, bytes_per_second: float) -> Count:
        """Let every host use so much."""
        return self._say(f"drain {bytes_per_second}")

    def set_delay(self, least_seconds: float, most_seconds: float | None = None) -> Count:
        """Hold each reply back for so long, or for a random time between the two."""
        most = least_seconds if most_seconds is None else most_seconds
        return self._say(f"delay {least_seconds} {most}")

    def stay_awake(self) -> Count:
        """Never sleep: what waking it costs would count as the client's, and another machine's
        far end is woken at its own expense."""
        return self._say("awake")

    def _say(self, line: str) -> Count:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return Count(**json.loads(self.process.stdout.readline()))
