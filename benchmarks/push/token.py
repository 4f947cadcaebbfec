"""One token for all clients: a source process draws from it for ours, python-pkcs11 for the others.

SoftHSM2 it is, because it is faster than the clients are and wants no login for random bytes.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config import parse
from bridge.source.account import Fate
from bridge.source.oneshot import opened
from tests.support.bridge import document
from tests.support.softhsm import SoftHsm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.source.supply import Supply
    from bridge.source.take import Take
    from bridge.vcenter import VCenter

LABEL = "push"
_CONFIGURATION = "SOFTHSM2_CONF"
_RESERVE_BYTES = 32 << 20  # what all requests of the largest size hold at a time, twice


@contextmanager
def soft_hsm() -> Iterator[Path]:
    """Make a token, to be found by every process that is started within; gives the module."""
    with tempfile.TemporaryDirectory(prefix="push-") as name:
        softhsm = SoftHsm(Path(name))
        softhsm.add_token(LABEL)
        os.environ[_CONFIGURATION] = softhsm.environment[_CONFIGURATION]
        try:
            yield softhsm.module
        finally:
            del os.environ[_CONFIGURATION]


def reader_of(module: Path, raw_bytes: int) -> Callable[[], bytes]:
    """Read with python-pkcs11, which has the module promised that one thread calls it at a time."""
    import pkcs11  # noqa: PLC0415 - each worker loads what it measures and nothing else

    session = pkcs11.lib(str(module)).get_token(token_label=LABEL).open()
    alone = threading.Lock()

    def read() -> bytes:
        with alone:
            return bytes(session.generate_random(raw_bytes * 8))

    return read


class FromSource:
    """Bytes of a source process, each sent once, as the feeder takes them."""

    def __init__(self, module: Path, raw_bytes: int) -> None:
        hsm = {
            "module": module,
            "token_label": LABEL,
            "env": {_CONFIGURATION: os.environ[_CONFIGURATION]},
            "reserve": _RESERVE_BYTES,
        }
        self._config = parse(document(hsm_push=hsm).encode()).hsm["push"]
        self._raw_bytes = raw_bytes
        self._stack = AsyncExitStack()
        self._arrived = asyncio.Event()

    async def open(self) -> None:
        self._supply: Supply = await self._stack.enter_async_context(opened(self._config))
        self._supply.on_data(self._arrived.set)

    async def push(self, client: VCenter, host: str) -> None:
        take = await self._take()
        await client.add(host, take.pieces, take.spend)
        take.done(Fate.DELIVERED)

    async def _take(self) -> Take:
        while self._supply.available_bytes < self._raw_bytes:
            self._arrived.clear()
            await self._arrived.wait()
        take = self._supply.take(self._raw_bytes)
        assert take is not None
        assert take.raw_bytes == self._raw_bytes
        return take

    async def close(self) -> None:
        await self._stack.aclose()
