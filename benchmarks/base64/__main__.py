"""How fast Base64 is encoded, against memcpy of the text and against other encoders.

`python -m benchmarks.base64 [--rounds N] [--size BYTES …] [--peer NAME=LIBRARY …] [--output FILE]`.
All contenders encode the same random bytes into the same page-aligned memory, in turns, on one
core. A figure is the fastest of three bursts, so that a burst in which the machine was away does
not count; ratios are of two figures of one round, shown as median (quartiles) over all rounds. A
peer is a shared object that exports `size_t encode(const uint8_t *, size_t, char *)`.
"""

from __future__ import annotations

import argparse
import binascii
import os
import random
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.base64.contenders import (
    BARE_CALL,
    COMPILER,
    ENCODE_BYTES,
    ENCODE_INTO,
    MEMCPY,
    OF_OTHERS,
    Loops,
    Place,
    built,
    compiled_by,
)
from benchmarks.report import machine, ratios, said, summary, write
from bridge.native import base64_kernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KIB = 1024
SIZES = tuple(32 << power for power in range(22))  # to 64 MiB
BURST_NS = 300_000
BURSTS = 3
BEST_PEER = "best peer"

Speeds = dict[str, list[float]]  # bytes per nanosecond, by contender and round


def measure(loops: Loops, place: Place, rounds: int) -> Speeds:
    """Give each contender's speeds; what it wrote before the first round is checked."""
    contenders = loops.contenders(place)
    expected = binascii.b2a_base64(place.raw.view, newline=False)
    burst = {}
    for name, timed in contenders.items():
        place.text.map[:] = bytes(len(place.text.map))
        once_ns = timed(1)
        if name not in (MEMCPY, *OF_OTHERS) and place.text.map[:] != expected:
            raise RuntimeError(f"{name} encodes wrongly")
        several = max(1, min(100, BURST_NS // max(once_ns, 1)))
        burst[name] = max(1, round(BURST_NS * several / max(timed(several), 1)))
    speeds: Speeds = {name: [] for name in contenders}
    names = list(contenders)
    for _ in range(rounds):
        random.shuffle(names)  # so that none follows the same one always
        for name in names:
            took_ns = min(contenders[name](burst[name]) for _ in range(BURSTS))
            speeds[name].append(round(len(place.raw.map) * burst[name] / took_ns, 4))
    return speeds


def compare(speeds: Speeds, peers: Sequence[str]) -> dict[str, dict[str, float]]:
    """Give the ratios that matter."""
    own = base64_kernels()
    best = own[-1]
    if peers:
        rounds = zip(*(speeds[name] for name in peers), strict=True)
        speeds = speeds | {BEST_PEER: [max(of_round) for of_round in rounds]}
    compared = {f"{name}/{MEMCPY}": ratios(speeds[name], speeds[MEMCPY]) for name in own}
    for name in (BARE_CALL, ENCODE_INTO, ENCODE_BYTES):
        compared[f"{name}/{best}"] = ratios(speeds[name], speeds[best])
    for name in OF_OTHERS:
        compared[f"{ENCODE_INTO}/{name}"] = ratios(speeds[ENCODE_INTO], speeds[name])
    for kernel in own[1:]:
        for name in (*peers, BEST_PEER) if peers else ():
            compared[f"{kernel}/{name}"] = ratios(speeds[kernel], speeds[name])
    return compared


def table(results: Mapping[int, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> str:
    lines = []
    for section, heading in (("gb_per_second", "GB/s of input"), ("ratios", "ratio")):
        names = list(next(iter(results.values()))[section])
        lines += [f"| {heading} | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
        for size, result in results.items():
            cells = (
                f"{of['median']:.3g} ({of['lower_quartile']:.3g}-{of['upper_quartile']:.3g})"
                for of in result[section].values()
            )
            lines.append(f"| {_size(size)} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _size(n_bytes: int) -> str:
    for unit, name in ((KIB * KIB, "MiB"), (KIB, "KiB")):
        if n_bytes >= unit:
            return f"{n_bytes / unit:g} {name}"
    return f"{n_bytes} B"


def _peer(words: str) -> tuple[str, Path]:
    name, _, path = words.partition("=")
    return name, Path(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.base64", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--size", type=int, nargs="*", default=SIZES, help="of the raw bytes")
    parser.add_argument("--peer", type=_peer, nargs="*", default=[], metavar="NAME=LIBRARY")
    parser.add_argument("--output", type=Path, help="write all figures here, as JSON")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    peers = dict(options.peer)
    content = os.urandom(max(options.size))
    results = {}
    with built() as path:
        loops = Loops(path, peers)
        for size in options.size:
            speeds = measure(loops, Place.of(size, content), options.rounds)
            results[size] = {
                "gb_per_second": {name: summary(of) for name, of in speeds.items()},
                "ratios": compare(speeds, list(peers)),
                "rounds": speeds,
            }
            print(f"{_size(size)} done", file=sys.stderr)
    print(table(results))
    if options.output:
        document = {
            "what": "Base64 encoding into page-aligned memory, one core; the kernels as installed",
            "environment": machine("native", "bridge/native", "benchmarks/base64")
            | {
                "kernels": base64_kernels(),
                "library": f"{compiled_by()}, CMake's Release, native/src/base64/CMakeLists.txt",
                "loops": " ".join([*COMPILER, said([COMPILER[0], "--version"]).splitlines()[0]]),
                "pybase64": version("pybase64"),
                "peers": list(peers),
            },
            "results": {str(size): result for size, result in results.items()},
        }
        write(options.output, document)


if __name__ == "__main__":
    main()
