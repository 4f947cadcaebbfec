"""PKCS#11 modules that we did not write, each set up and ended again.

What is missing is an error that names Debian's package, for `deploy/quickstart test` installs them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.softhsm import SoftHsm

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_SECONDS = 20.0
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
NSS_INIT_ARGS = (
    "configDir='' certPrefix='' keyPrefix='' secmod='' "
    "flags=noCertDB,noModDB,forceOpen,optimizeSpace"
)
_PKCSSLOTD_SOCKET = Path("/run/pkcsslotd.socket")
_PKCSSLOTD_LOCK = Path("/tmp/entropy-bridge-tests.pkcsslotd")


@dataclass(frozen=True)
class Module:
    """What `[hsm.NAME]` says of it, and what it does with long calls."""

    path: Path
    table: dict[str, object] = field(default_factory=dict)
    longest_bytes: int = 1 << 20
    model: str = ""

    @property
    def settings(self) -> dict[str, object]:
        """Everything that HsmConfig wants, but a name."""
        return {"module": self.path, **self.table}


def library(name: str, package: str) -> Path:
    """Find a module's file."""
    for folder in _FOLDERS:
        if (path := Path(folder, name)).exists():
            return path
    raise RuntimeError(f"{name} is missing: install Debian's package {package}")


def program(name: str, package: str) -> str:
    """Find a module's program."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise RuntimeError(f"{name} is missing: install Debian's package {package}")
    return found


@contextmanager
def softhsm(directory: Path) -> Iterator[Module]:
    """SoftHSM2 with one token."""
    tokens = SoftHsm(directory)
    tokens.add_token("alpha")
    yield Module(tokens.module, {"env": tokens.environment}, model="SoftHSM v2")


@contextmanager
def nss(_directory: Path) -> Iterator[Module]:
    """NSS without a database: what Firefox draws its random bytes from."""
    path = library("libsoftokn3.so", "libnss3")
    table: dict[str, object] = {"init_args": NSS_INIT_ARGS, "slot": 1}
    yield Module(path, table, longest_bytes=65536, model="NSS 3")


@contextmanager
def p11_kit(directory: Path) -> Iterator[Module]:
    """A SoftHSM2 behind p11-kit's server, over a socket."""
    client = library("pkcs11/p11-kit-client.so", "p11-kit-modules")
    tokens = SoftHsm(directory)
    tokens.add_token("remote")
    path = directory / "p11-kit"
    words = ["server", "-f", "-n", str(path), "--provider", str(tokens.module), "pkcs11:"]
    with _daemon([program("p11-kit", "p11-kit"), *words], path, tokens.environment):
        table = {"env": {"P11_KIT_SERVER_ADDRESS": f"unix:path={path}"}, "token_label": "remote"}
        yield Module(client, table, model="SoftHSM v2")


@contextmanager
def opencryptoki(_directory: Path) -> Iterator[Module]:
    """openCryptoki's soft token; its daemon is the machine's, so there is one for all tests."""
    path = library("pkcs11/libopencryptoki.so", "opencryptoki")
    module = Module(path, model="IBM SoftTok")
    with _PKCSSLOTD_LOCK.open("w") as lock:
        flock(lock, LOCK_EX)
        if _answers(_PKCSSLOTD_SOCKET):
            yield module
        else:
            with _daemon([program("pkcsslotd", "opencryptoki"), "-f"], _PKCSSLOTD_SOCKET, {}):
                yield module


@contextmanager
def _daemon(words: list[str], path: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a daemon in the foreground for as long as the body takes."""
    daemon = subprocess.Popen(
        words,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not _answers(path):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{words[0]} does not answer at {path}; code {daemon.poll()}")
            time.sleep(0.02)
        yield
    finally:
        daemon.terminate()
        daemon.wait(DEADLINE_SECONDS)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.2)
        try:
            client.connect(str(path))
        except OSError:
            return False
        # pkcsslotd dies when it writes to one who has left, so what it says is heard out.
        with suppress(TimeoutError):
            while client.recv(1 << 16):
                pass
    return True


MODULES = {
    "softhsm2": softhsm,
    "nss": nss,
    "opencryptoki": opencryptoki,
    "p11-kit": p11_kit,
}
