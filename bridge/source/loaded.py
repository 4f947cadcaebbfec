# SPDX-License-Identifier: Apache-2.0
"""A module for the length of a look, in a one-shot process."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bridge.native.errors import NativeError
from bridge.native.ring import Ring
from bridge.native.source import SourceHandle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOSE_MS = 2000


@contextmanager
def loaded(module: Path, init_args: str | None) -> Iterator[SourceHandle]:
    """Give a source whose module is loaded and initialised; nothing of it is published."""
    # The native code, which alone initialises modules, wants a ring for it; a small one will do.
    ring = Ring.create(8, 1, allow_unlocked=True)
    handle = SourceHandle.open(
        ring_fd=ring.fd,
        n_slots=8,
        n_readers=1,
        data_eventfd=ring.data_eventfd,
        space_eventfds=ring.space_eventfds,
        allow_unlocked=True,
    )
    try:
        handle.load(module, init_args)
        yield handle
    finally:
        with suppress(NativeError):
            handle.close(CLOSE_MS)
        ring.close()
