"""The bytes of one payload, from a source, each byte once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.native import wipe
from bridge.source.oneshot import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.source.supply import Supply


async def draw_payload(
    supply: Supply, n_bytes: int, drawn: Callable[[int], None] | None = None
) -> bytearray:
    """Draw a payload into a buffer that the caller wipes; `drawn` hears of every piece's size.

    When the machine was suspended meanwhile, a copy of it may draw the same bytes: then all that
    was drawn is given up, and it begins again.
    """
    while True:
        epoch = supply.epoch
        payload = bytearray(n_bytes)
        try:
            at = 0
            async for raw in draw(supply, n_bytes):
                payload[at : at + len(raw)] = raw
                at += len(raw)
                if drawn is not None:
                    drawn(len(raw))
        except BaseException:
            wipe(payload)
            raise
        if supply.epoch == epoch:
            return payload
        wipe(payload)
        if drawn is not None:
            drawn(-n_bytes)
