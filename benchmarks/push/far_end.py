"""The far end: the C sink, built and started in a directory of its own, with its own CA."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILER = ("cc", "-O2", "-std=gnu11")


@dataclass(frozen=True)
class FarEnd:
    """Where the sink listens, and whom to trust for it."""

    url: str
    ca_file: Path
    tls: str


def far_cpus() -> set[int]:
    """The processor that the far end has, as if it were another machine; else it would be one of
    the things that empty the caches of a client."""
    return set(sorted(os.sched_getaffinity(0))[-1:])


def near_cpus() -> set[int]:
    """The processors that the clients have: all others, if there is more than one."""
    return os.sched_getaffinity(0) - far_cpus() or far_cpus()


@contextmanager
def far_end(tls: str) -> Iterator[FarEnd]:
    """Run a sink that speaks one version of TLS, "1.2" or "1.3"."""
    with tempfile.TemporaryDirectory(prefix="push-") as name:
        here = Path(name)
        sink = here / "sink"
        source = Path(__file__).with_name("sink.c")
        subprocess.run(
            [*COMPILER, "-o", sink, source, "-lssl", "-lcrypto", "-lpthread"], check=True
        )
        ca = trustme.CA()
        server = ca.issue_cert("localhost")
        ca.cert_pem.write_to_path(str(here / "ca.pem"))
        server.private_key_and_cert_chain_pem.write_to_path(str(here / "server.pem"))
        process = subprocess.Popen(
            [sink, here / "server.pem", here / "server.pem", tls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.sched_setaffinity(process.pid, far_cpus())
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield FarEnd(f"https://localhost:{port}", here / "ca.pem", tls)
            process.stdin.close()
