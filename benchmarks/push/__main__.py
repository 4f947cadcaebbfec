"""What a request costs the client, against the least that it can cost and against what users have.

`python -m benchmarks.push [--rounds N] [--size BYTES …] [--tls 1.3] [--token] [--output FILE]`. All
clients send Base64 text of one size to the C far end over TLS on loopback, in turns, for `rounds`
rounds; each is a process of its own that lives through all rounds. The far end has a processor of
its own, where there are two, and never sleeps: to wake it would be charged to the client, which a
far end on another machine does not. With `--token` the clients draw the bytes from the same token,
and its CPU counts.

The figure is CPU seconds (user and system, all threads) per request: it moves far less than
requests per second on a machine that does other things too. Ratios are of the two costs of one
round; the median and the quartiles over all rounds are shown. `c` is the limit, a client in C that
does nothing but what has to be done (`least.c`), and `bare` the same for uvloop.
"""

from __future__ import annotations

import argparse
import os
import ssl
import subprocess
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.far_end.far_end import COMPILER, SESSION, FarEnd
from benchmarks.partner import Partner
from benchmarks.push.clients import CONCURRENCY, HOSTS
from benchmarks.push.token import soft_hsm
from benchmarks.report import machine, ratios, said, summary, write

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS = ("c", "bare", "fast", "plain", "sdk", "requests")
TOKEN_CLIENTS = ("fast", "plain", "sdk", "requests")
OURS = ("fast", "plain")
KIB = 1024
SIZES = (KIB, 64 * KIB, 512 * KIB)
PACKAGES = ("aiohttp", "uvloop", "vmware-vcenter", "requests", "urllib3")

Costs = dict[str, list[float]]
Figures = dict[str, dict[str, dict[str, float]]]

# requests in one turn: enough CPU to be measured, and no turn longer than a moment
QUICK_TURN = (4000, 1600, 300)
TURN = dict.fromkeys(("c", "bare", "fast"), QUICK_TURN) | {"plain": (1000, 600, 200)}
SLOW_TURN = (96, 96, 64)


def far_cpus() -> set[int]:
    """The processor that the far end has, as if it were another machine; else it would be one of
    the things that empty the caches of a client."""
    return set(sorted(os.sched_getaffinity(0))[-1:])


def near_cpus() -> set[int]:
    """The processors that the clients have: all others, if there is more than one."""
    return os.sched_getaffinity(0) - far_cpus() or far_cpus()


def least(here: Path) -> Path:
    """Build the client in C."""
    program = here / "least"
    source = Path(__file__).with_name("least.c")
    subprocess.run([*COMPILER, "-o", program, source, "-lssl", "-lcrypto"], check=True)
    return program


def command(
    client: str, far: FarEnd, text_bytes: int, module: Path | None, here: Path
) -> list[str]:
    """What to start as a client; it writes into `here`."""
    if client == "c":
        port = far.url.rpartition(":")[2]
        words = [least(here), port, far.ca_file, SESSION, text_bytes, CONCURRENCY]
    else:
        words = [sys.executable, "-m", "benchmarks.push.worker", client]
        words += [far.url, far.ca_file, far.password_file, text_bytes]
        words += [] if module is None else ["--token-module", module]
    return [*map(str, words)]


class Worker(Partner):
    """A client's process."""

    def __init__(self, client: str, command: Sequence[str]) -> None:
        super().__init__(command)
        self.client = client
        os.sched_setaffinity(self.pid, near_cpus())

    def turn(self, n: int) -> float:
        """Send `n` requests; returns CPU seconds for each."""
        return float(self.ask(str(n))["cpu_seconds"]) / n


def measure(
    far: FarEnd, clients: Sequence[str], text_bytes: int, rounds: int, module: Path | None
) -> Costs:
    """Return each client's CPU seconds per request, by round; the round before does not count."""
    costs: Costs = {client: [] for client in clients}
    nearest = min(range(len(SIZES)), key=lambda at: abs(SIZES[at] - text_bytes))
    with ExitStack() as stack:
        here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="push-")))
        workers = [
            stack.enter_context(Worker(c, command(c, far, text_bytes, module, here)))
            for c in clients
        ]
        for number in range(rounds + 1):
            turned = number % len(workers)  # who begins changes, so that none follows always
            for worker in workers[turned:] + workers[:turned]:
                cost = worker.turn(TURN.get(worker.client, SLOW_TURN)[nearest])
                if number:
                    costs[worker.client].append(cost)
    return costs


def figures(costs: Costs) -> Figures:
    """Medians and spreads, with the ratios that matter."""
    compared = {}
    for ours in OURS:
        if ours not in costs:
            continue
        for limit in ("c", "bare"):
            if limit in costs:
                compared[f"{ours}/{limit}"] = ratios(costs[ours], costs[limit])
        for theirs in ("sdk", "requests", "plain"):
            if theirs in costs and theirs != ours:
                compared[f"{theirs}/{ours}"] = ratios(costs[theirs], costs[ours])
    return {
        "cpu_seconds_per_request": {c: summary(v) for c, v in costs.items()},
        "ratios": compared,
    }


def environment() -> dict[str, object]:
    return machine("bridge", "benchmarks/push", "benchmarks/far_end") | {
        "openssl": ssl.OPENSSL_VERSION,
        "packages": {name: version(name) for name in PACKAGES},
        "far_end": " ".join([*COMPILER, said([COMPILER[0], "--version"]).splitlines()[0]]),
    }


def table(results: dict[int, Figures]) -> str:
    """Microseconds of CPU per request, and ratios, as median (quartiles)."""
    lines = []
    for section, scale in (("cpu_seconds_per_request", 1e6), ("ratios", 1.0)):
        rows: dict[str, list[str]] = {}
        for result in results.values():
            for name, s in result[section].items():
                shown = [_short(s[key] * scale) for key in s]
                rows.setdefault(name, []).append(f"{shown[0]} ({shown[1]}-{shown[2]})")
        heading = "CPU, us per request" if scale > 1 else "ratio"
        sizes = " | ".join(f"{size / KIB:g} KiB" for size in results)
        lines += [f"| {heading} | {sizes} |", "|---|" + "---:|" * len(results)]
        lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
        lines.append("")
    return "\n".join(lines)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.push", description=__doc__)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--size", type=int, nargs="*", default=SIZES, help="of the Base64 text")
    parser.add_argument("--client", nargs="*", choices=CLIENTS)
    parser.add_argument("--token", action="store_true", help="all draw from SoftHSM2")
    parser.add_argument("--tls", default="1.3", choices=["1.2", "1.3"])
    parser.add_argument("--output", type=Path, help="write all figures here, as JSON")
    options = parser.parse_args()
    results: dict[int, Figures] = {}
    rounds: dict[int, Costs] = {}
    clients = options.client or (TOKEN_CLIENTS if options.token else CLIENTS)
    with (
        FarEnd(len(HOSTS), tls=options.tls) as far,
        soft_hsm() if options.token else nullcontext() as module,
    ):
        os.sched_setaffinity(far.process.pid, far_cpus())
        far.stay_awake()
        for size in options.size:
            rounds[size] = measure(far, clients, size, options.rounds, module)
            results[size] = figures(rounds[size])
            print(f"{size / KIB:g} KiB done", file=sys.stderr)
    print(table(results))
    if options.output:
        document = {
            "what": "CPU of the client per POST of Base64 text, TLS on loopback to a far end in C",
            "tls": options.tls,
            "bytes": "drawn from SoftHSM2" if options.token else "ready",
            "environment": environment(),
            "results": {str(size): results[size] | {"rounds": rounds[size]} for size in results},
        }
        write(options.output, document)


if __name__ == "__main__":
    main()
