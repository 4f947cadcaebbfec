"""How much of a token's pace arrives, and what the feeder adds to the push path's CPU per byte.

`python -m benchmarks.pipeline [--rounds N] [--seconds S] [--pace BYTES_PER_SECOND] [--output FILE]`

In each round, one after the other: the bridge, as `entropy-bridge run` starts it, between the test
token at its pace and the C far end (benchmarks/far_end), with hosts that always have room; and the
push path alone, which sends as many bytes in requests as large as the bridge's were, to the same
far end from a ring of the same size. CPU is user and system, all threads, per raw GB; the ratios
are of those of one round. The pace is what the token would give to one that takes all at once.

The push path alone is run twice. Saturated, it never sleeps, and the next request begins where the
last one left off: what a byte costs at the least. At the pace at which the bridge delivered, it
sleeps and wakes as the feeder has to: that ratio is what planner, supply, account and all else of
the feeder add, while the other one also has the price of a pace below what the processor could do.
That nobody writes to the ring of the push path alone makes no difference: to hand a request to the
transport takes as long there as in the feeder, whose bytes another process has just written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.far_end.far_end import COMPILER, FarEnd
from benchmarks.report import machine, summary, write
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.testtoken import LABEL, TestToken

HOSTS = 1000
ROOM_BYTES = 64 << 20  # more than can come: nobody is full
WARM_SECONDS = 2.0
MEASURED = ("bridge", "native", "benchmarks/pipeline", "benchmarks/far_end")


@dataclass(frozen=True)
class Round:
    """Rates in raw bytes per second, CPU in seconds per raw GB."""

    delivered: float
    add_bytes: float  # raw, of one request
    feeder_cpu: float
    source_cpu: float
    far_end_cpu: float
    push_saturated_cpu: float
    push_paced_cpu: float
    over_bytes: int
    rss_bytes: int  # feeder and source


def cpu_seconds(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def push_alone(
    far: FarEnd, add_bytes: float, total_bytes: float, pace: float
) -> tuple[float, float]:
    """CPU seconds per raw GB of the push path alone: saturated, and at a pace in bytes/s."""
    n = max(64, round(total_bytes / add_bytes))
    command = [sys.executable, "-m", "benchmarks.pipeline.push_alone", far.url, far.ca_file]
    done = subprocess.run(
        [*map(str, command), str(far.password_file), str(round(add_bytes)), str(n), str(pace)],
        stdout=subprocess.PIPE,
        check=True,
    )
    cost = json.loads(done.stdout)
    n_gigabytes = n * add_bytes / 1e9
    return cost["saturated"] / n_gigabytes, cost["paced"] / n_gigabytes


def measure(token: TestToken, seconds: float) -> Round:
    """One round."""
    with (
        FarEnd(HOSTS, capacity_bytes=ROOM_BYTES) as far,
        tempfile.TemporaryDirectory() as here,
    ):
        hsm = {"module": token.module, "token_label": LABEL, "env": token.environment}
        with BridgeProcess(document(hsm_bench=hsm, vcenter_far=far.table), Path(here)) as bridge:
            wait_until(lambda: far.count().adds)
            time.sleep(WARM_SECONDS)
            feeder = psutil.Process(bridge.process.pid)
            [source] = feeder.children()
            all_three = (feeder, source, psutil.Process(far.process.pid))
            begun, before = far.count_anew(), [cpu_seconds(it) for it in all_three]
            time.sleep(seconds)
            ended, after = far.count(), [cpu_seconds(it) for it in all_three]
            rss_bytes = sum(it.memory_info().rss for it in (feeder, source))
            bridge.stop()
        n_bytes = ended.sent_bytes
        cpu = [(b - a) / n_bytes * 1e9 for a, b in zip(before, after, strict=True)]
        add_bytes = n_bytes / ended.adds
        delivered = n_bytes / (ended.now - begun.now)
        saturated, paced = push_alone(far, add_bytes, n_bytes, delivered)
        return Round(
            delivered=delivered,
            add_bytes=add_bytes,
            feeder_cpu=cpu[0],
            source_cpu=cpu[1],
            far_end_cpu=cpu[2],
            push_saturated_cpu=saturated,
            push_paced_cpu=paced,
            over_bytes=ended.over_bytes,
            rss_bytes=rss_bytes,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--pace", type=float, default=200e6, help="of the token, in bytes/s")
    parser.add_argument("--output", type=Path, help="write all figures here, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as here:
        token = TestToken(Path(here) / "state")
        token.picoseconds_per_byte = round(1e12 / options.pace)
        rounds = []
        for number in range(options.rounds):
            rounds.append(measure(token, options.seconds))
            print(f"{number + 1}: {rounds[-1]}", file=sys.stderr)
        token.close()
    figures = {
        "delivered / pace": summary([it.delivered / options.pace for it in rounds]),
        "feeder / push path alone, saturated, CPU per byte": summary(
            [it.feeder_cpu / it.push_saturated_cpu for it in rounds]
        ),
        "feeder / push path alone at its pace, CPU per byte": summary(
            [it.feeder_cpu / it.push_paced_cpu for it in rounds]
        ),
        "feeder, CPU s/GB": summary([it.feeder_cpu for it in rounds]),
        "push path alone, saturated, CPU s/GB": summary([it.push_saturated_cpu for it in rounds]),
        "push path alone at its pace, CPU s/GB": summary([it.push_paced_cpu for it in rounds]),
        "source, CPU s/GB": summary([it.source_cpu for it in rounds]),
        "KiB in a request": summary([it.add_bytes / 1024 for it in rounds]),
        "RSS of feeder and source, MB": summary([it.rss_bytes / 1e6 for it in rounds]),
    }
    for name, of in figures.items():
        spread = f"({of['lower_quartile']:.3g} to {of['upper_quartile']:.3g})"
        print(f"{name}: {of['median']:.3g} {spread}")
    if options.output:
        write(
            options.output,
            {
                "what": "a paced test token through the bridge into a C far end, TLS 1.3, loopback",
                "pace": options.pace,
                "environment": machine(*MEASURED) | {"far_end": " ".join(COMPILER)},
                "figures": figures,
                "rounds": [asdict(it) for it in rounds],
            },
        )


if __name__ == "__main__":
    main()
