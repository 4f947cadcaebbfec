"""Bytes published by the source, against bare C_GenerateRandom and against python-pkcs11.

`python -m benchmarks.source [--kind software|paced] [--rounds N] [--only TEXT] [--output FILE]`.
The source tests, encodes and publishes, and a consumer takes every slot and gives it back, wiped,
as the feeder does; its rival draws from the same token in calls of the same length, in as many
sessions, and throws the bytes away. Each is a process of its own, and they take turns. Ratios are
of the two figures of one round, shown as median (quartiles): of bytes per second, and of bytes per
CPU second of the threads that read (against python-pkcs11, of all threads), which other load on the
machine moves less. Before that the stages that a call's bytes go through are timed, without a
module.

Where the readers leave no processor to the consumer, what it takes is missing from the source's
figure, though it is no work of the source: a wiped slot costs a quarter of what the fastest module
takes to fill it. So there are cells in which the source is alone: slots go back as they are,
neither read nor wiped, and what is missing from those is the source's own. Nothing but this
benchmark has such a consumer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.partner import Partner
from benchmarks.report import machine, ratios, said, summary, write
from benchmarks.source.cells import COMPILER, Cell, paced, software
from benchmarks.source.worker import order
from bridge.native import base64_kernels
from tests.support.testtoken import ROOT, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

STAGES = ("poison check", "output tests", "encoding", "poison")
CALL_BYTES = 65536
KINDS = {"software": software, "paced": paced}


@dataclass(frozen=True)
class Turn:
    """What came in a turn, and what it took."""

    n_bytes: int
    seconds: float
    readers_cpu_seconds: float
    consumer_cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.n_bytes / self.seconds

    def rate_of_cpu(self, *, with_consumer: bool) -> float:
        taken = self.consumer_cpu_seconds if with_consumer else 0.0
        return self.n_bytes / (self.readers_cpu_seconds + taken)


class Worker(Partner):
    """A way of reading, in its process."""

    def __init__(self, way: str, cell: Cell) -> None:
        super().__init__(order(way, cell.reading), cell.environment)

    def turn(self, seconds: float) -> Turn:
        return Turn(*self.ask(str(seconds)))


def measure(cell: Cell, rounds: int) -> dict[str, object]:
    """Let both take turns; the round before does not count."""
    ways = (cell.way, cell.source)
    turns: dict[str, list[Turn]] = {way: [] for way in ways}
    with ExitStack() as stack:
        workers = {way: stack.enter_context(Worker(way, cell)) for way in ways}
        for number in range(rounds + 1):
            for way in ways if number % 2 else reversed(ways):
                turn = workers[way].turn(cell.seconds)
                if number:
                    turns[way].append(turn)
    figures: dict[str, object] = {
        "bytes_per_second": {way: summary([turn.rate for turn in of]) for way, of in turns.items()},
        "source/rival": ratios(*([turn.rate for turn in turns[way]] for way in reversed(ways))),
        "source/rival, by CPU": ratios(
            # python-pkcs11 reads and takes in one thread
            *(
                [turn.rate_of_cpu(with_consumer=cell.way == "python") for turn in turns[way]]
                for way in reversed(ways)
            )
        ),
        "consumer CPU/readers' CPU": summary(
            [turn.consumer_cpu_seconds / turn.readers_cpu_seconds for turn in turns[cell.source]]
        ),
    }
    return figures | {"rounds": {way: [asdict(turn) for turn in of] for way, of in turns.items()}}


def stages(rounds: int) -> dict[str, dict[str, float]]:
    """Time what happens to a call's bytes after the call; nanoseconds for 64 KiB."""
    with tempfile.TemporaryDirectory(prefix="stages-") as here:
        cmake = [tool("cmake"), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]
        settings = ["-DCMAKE_BUILD_TYPE=Release", "-DBN_MODULE=OFF"]
        for command in (
            [*cmake, "-S", str(ROOT / "native"), "-B", here, *settings],
            [tool("cmake"), "--build", here, "--target", "bn"],
        ):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        program = Path(here, "stages")
        source = Path(__file__).with_name("stages.c")
        folders = [f"-I{ROOT / 'native' / folder}" for folder in ("include", "src")]
        subprocess.run(
            [
                *COMPILER,
                *folders,
                "-o",
                program,
                source,
                Path(here, "libbn.a"),
                "-lpthread",
                "-ldl",
            ],
            check=True,
        )
        lines = said([str(program), str(CALL_BYTES), str(rounds)]).splitlines()
    columns = zip(*([float(word) for word in line.split()] for line in lines), strict=True)
    return {stage: summary(column) for stage, column in zip(STAGES, columns, strict=True)}


def shown(of: object, scale: float = 1.0) -> str:
    assert isinstance(of, dict)
    return "{median:.3g} ({lower_quartile:.3g}-{upper_quartile:.3g})".format(
        **{name: value * scale for name, value in of.items()}
    )


def run(cells: Sequence[Cell], rounds: int, only: str) -> dict[str, dict[str, object]]:
    results = {}
    for cell in cells:
        if only not in cell.key:
            continue
        result = results[cell.key] = measure(cell, rounds)
        by_wall, by_cpu = (shown(result[key]) for key in ("source/rival", "source/rival, by CPU"))
        print(f"{cell.key}: {by_wall}, by CPU {by_cpu}", file=sys.stderr, flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.source", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="software")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", default="", help="cells with this in their name")
    parser.add_argument("--output", type=Path, help="write all figures here, as JSON")
    options = parser.parse_args()
    times = stages(options.rounds)
    for name, of in times.items():
        print(f"{name}: {shown(of, 1e-3)} us per 64 KiB", file=sys.stderr, flush=True)
    with KINDS[options.kind]() as cells:
        results = run(cells, options.rounds, options.only)
    if options.output:
        document = {
            "what": "raw bytes per second that a source publishes, against its rival's",
            "environment": machine("native", "bridge/native", "benchmarks/source")
            | {
                "kernel of Base64": base64_kernels()[-1],
                "stages": " ".join([*COMPILER, said([COMPILER[0], "--version"]).splitlines()[0]]),
            },
            "nanoseconds per 64 KiB": times,
            "results": results,
        }
        write(options.output, document)


if __name__ == "__main__":
    main()
