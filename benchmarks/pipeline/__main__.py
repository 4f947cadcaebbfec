"""How fast bytes go through the source alone, and through source, pusher and TLS into the twin.

`python -m benchmarks.pipeline [--rounds N] [--seconds S] [--output FILE]`. Both are measured in
turn, in one run, for the soft token and for SoftHSM2; the figure is the ratio of each pair. The
twin counts every byte in one Python process and is usually what holds the second up: the CPU
seconds per byte of each process say where the time went.
"""

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import uvloop

from bridge.config import BridgeConfig, parse
from bridge.daemon.app import Bridge
from bridge.daemon.sdnotify import Notifier
from bridge.native import base64_kernels, softtoken_path
from bridge.source.account import Fate
from bridge.source.oneshot import opened
from tests.support.bridge import document
from tests.support.softhsm import PIN, SoftHsm
from tests.support.twin import TwinProcess

HOSTS = 300


@dataclass(frozen=True)
class Pair:
    """One pair of measurements; rates in raw bytes per second, CPU in seconds per raw GB."""

    token: str
    source_alone: float
    end_to_end: float
    feeder_cpu: float
    source_cpu: float
    twin_cpu: float
    feeder_rss: int
    source_rss: int

    @property
    def ratio(self) -> float:
        return self.end_to_end / self.source_alone


@contextmanager
def tokens() -> Iterator[dict[str, dict[str, object]]]:
    """The [hsm] tables to measure."""
    with tempfile.TemporaryDirectory() as name:
        softhsm = SoftHsm(Path(name))
        softhsm.add_token("bench")
        pin = Path(name, "pin")
        pin.write_text(PIN)
        pin.chmod(0o600)
        yield {
            "soft token": {"module": softtoken_path(), "allow_soft_token": True},
            "SoftHSM2": {
                "module": softhsm.module,
                "token_label": "bench",
                "env": softhsm.environment,
                "pin_file": pin,
            },
        }


async def source_alone(config: BridgeConfig, seconds: float) -> float:
    """Take and release as fast as bytes come."""
    async with opened(config.hsm["bench"]) as supply:
        arrived = asyncio.Event()
        supply.on_data(arrived.set)
        taken, started = 0, time.perf_counter()
        while (now := time.perf_counter()) - started < seconds:
            if (take := supply.take(1 << 20)) is None:
                arrived.clear()
                async with asyncio.timeout(10):
                    await arrived.wait()
                continue
            taken += take.raw_bytes
            take.spend()
            take.done(Fate.DELIVERED)
        return taken / (now - started)


async def end_to_end(
    config: BridgeConfig, twin: TwinProcess, token: str, alone: float, period: float
) -> Pair:
    """Fill hosts that use more than can come, for a while after the first bytes."""
    bridge = Bridge(config, Notifier())
    running = asyncio.create_task(bridge.run())
    delivered = bridge.supply.account
    while not delivered().delivered:
        await asyncio.sleep(0.01)
    me, other = psutil.Process(), psutil.Process(twin.process.pid)
    [child] = [it for it in me.children() if it.pid != other.pid]
    before = [sum(it.cpu_times()[:2]) for it in (me, child, other)]
    start_bytes, started = delivered().delivered, time.perf_counter()
    await asyncio.sleep(period)
    seconds, n_bytes = time.perf_counter() - started, delivered().delivered - start_bytes
    after = [sum(it.cpu_times()[:2]) for it in (me, child, other)]
    feeder, source, far = ((b - a) / n_bytes * 1e9 for a, b in zip(before, after, strict=True))
    memory = me.memory_info().rss, child.memory_info().rss
    bridge.stop()
    await running
    return Pair(token, alone, n_bytes / seconds, feeder, source, far, *memory)


def measure(hsm: dict[str, object], token: str, seconds: float) -> Pair:
    """One pair."""
    with (
        TwinProcess(
            "--hosts", HOSTS, "--initial-level", 0, "--drain-bytes-per-second", 4e6
        ) as twin,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        table = {
            "url": twin.url,
            "username": twin.username,
            "password_file": twin.password_file,
            "ca_file": twin.ca_file,
        }
        config = parse(document(hsm_bench=hsm, vcenter_twin=table).encode())
        alone = runner.run(source_alone(config, seconds))
        return runner.run(end_to_end(config, twin, token, alone, seconds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tokens() as tables:
        pairs = [
            measure(hsm, token, arguments.seconds)
            for _ in range(arguments.rounds)
            for token, hsm in tables.items()
        ]
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"Base64 kernel {base64_kernels()[-1]}, {arguments.rounds} rounds of {arguments.seconds} s"
    )
    for token in tables:
        of = [pair for pair in pairs if pair.token == token]
        ratios = sorted(pair.ratio for pair in of)

        def middle(name: str) -> float:
            return statistics.median(getattr(pair, name) for pair in of)  # noqa: B023

        print(
            f"{token}: source alone {middle('source_alone') / 1e6:.0f} MB/s, into the twin "
            f"{middle('end_to_end') / 1e6:.0f} MB/s, ratio {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}); CPU s/GB: feeder {middle('feeder_cpu'):.1f}, "
            f"source {middle('source_cpu'):.1f}, twin {middle('twin_cpu'):.1f}; RSS: feeder "
            f"{middle('feeder_rss') / 1e6:.0f} MB, source {middle('source_rss') / 1e6:.0f} MB"
        )
    if arguments.output:
        arguments.output.write_text(json.dumps([asdict(pair) for pair in pairs], indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
