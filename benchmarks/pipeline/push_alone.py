"""The push path alone: adds of one size from all of a ring in turn, and what they cost.

A process of its own, which benchmarks.pipeline starts: URL, CA file, password file, raw bytes of an
add, adds, raw bytes per second. Prints CPU seconds, first of adds as fast as they go, then at this
pace, which has it sleep before each; those of an eighth as many beforehand are not counted.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

import uvloop
from pydantic import SecretStr

from bridge.config import VCenterConfig
from bridge.config.values import MIB
from bridge.native.ring import SLOT_TEXT_BYTES, Ring
from bridge.vcenter import VCenter

CONCURRENCY = 32
RING_SLOTS = 2 * MIB // SLOT_TEXT_BYTES  # as the bridge has by default
PIECE_BYTES = 8 * SLOT_TEXT_BYTES
HOSTS = 256


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def bodies(ring: Ring, text_bytes: int) -> list[list[memoryview]]:
    """As many bodies as the ring holds, in pieces as a take has them."""
    whole, _ = ring.piece(0, 0, ring.n_slots * SLOT_TEXT_BYTES)
    return [
        [
            whole[at : min(at + PIECE_BYTES, start + text_bytes)]
            for at in range(start, start + text_bytes, PIECE_BYTES)
        ]
        for start in range(0, len(whole) - text_bytes + 1, text_bytes)
    ]


async def push(
    client: VCenter, ring: Ring, text_bytes: int, n: int, seconds_between: float = 0.0
) -> float:
    """Make `n` adds; the CPU seconds they took."""
    loop = asyncio.get_running_loop()
    different = bodies(ring, text_bytes)
    turns = iter(range(n))
    before, begun = cpu_seconds(), loop.time()

    async def feed() -> None:
        for turn in turns:
            if (early := begun + turn * seconds_between - loop.time()) > 0.0:
                await asyncio.sleep(early)
            host = f"host-{1000 + turn % HOSTS}"
            await client.add(host, different[turn % len(different)], _nothing)

    await asyncio.gather(*(feed() for _ in range(CONCURRENCY)))
    return cpu_seconds() - before


def _nothing() -> None:
    return


async def main(
    config: VCenterConfig, raw_bytes: int, n: int, bytes_per_second: float
) -> dict[str, float]:
    text_bytes = raw_bytes // 3 * 4
    slots = max(RING_SLOTS, -(-text_bytes // SLOT_TEXT_BYTES))
    with Ring.create(slots, 1, allow_unlocked=True) as ring:
        async with VCenter(config, SecretStr("secret")) as client:
            await push(client, ring, text_bytes, n // 8)
            return {
                "saturated": await push(client, ring, text_bytes, n),
                "paced": await push(client, ring, text_bytes, n, raw_bytes / bytes_per_second),
            }


if __name__ == "__main__":
    url, ca_file, password_file, raw_bytes, n, pace = sys.argv[1:]
    config = VCenterConfig(
        name="far-end",
        url=url,
        username="bridge",
        password_file=Path(password_file),
        ca_file=Path(ca_file),
        max_in_flight=CONCURRENCY,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(main(config, int(raw_bytes), int(n), float(pace)))))
