"""What is measured: which module, how many bytes per call, in how many sessions, by which ways."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.source.worker import Reading
from tests.support.modules import nss, opencryptoki, softhsm
from tests.support.testtoken import ROOT, TestToken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.modules import Module

COMPILER = ("cc", "-O2", "-std=c11", "-D_GNU_SOURCE")
KIB = 1024
SOFTWARE = {"NSS softokn": nss, "openCryptoki": opencryptoki, "SoftHSM2": softhsm}
LABELS = {"SoftHSM2": "alpha"}
SHAPES = ((4 * KIB, 1), (64 * KIB, 1), (64 * KIB, 2))
ALONE = ((64 * KIB, 1), (64 * KIB, 2))
PYTHON_CALLS = (256, KIB, 4 * KIB, 16 * KIB, 64 * KIB)
PACED = (  # bytes per call, bytes per second of the device, sessions
    (1 * KIB, 2_000, 1),
    (1 * KIB, 200_000, 2),
    (4 * KIB, 20_000, 1),
    (8 * KIB, 2_000_000, 2),
    (64 * KIB, 200_000, 1),
    (64 * KIB, 2_000_000, 2),
    (64 * KIB, 20_000_000, 1),
    (64 * KIB, 20_000_000, 2),
)
LATENCY_US = 200  # there and back
BURST_SECONDS = 0.12
PACED_CALLS = 4  # in a burst, at least


@dataclass(frozen=True)
class Cell:
    """One comparison: `way` is the source's rival."""

    name: str
    reading: Reading
    way: str = "bare"
    source: str = "source"
    seconds: float = BURST_SECONDS
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        call = self.reading.call_bytes
        size = f"{call // KIB} KiB" if call >= KIB else f"{call} B"
        alone = "alone, " if self.source == "source alone" else ""
        sessions = f"{self.reading.sessions} session(s)"
        return f"{self.name}, {size}, {sessions}, {alone}against {self.way}"


@contextmanager
def software() -> Iterator[list[Cell]]:
    """Modules as fast as they go, against themselves and against python-pkcs11."""
    with ExitStack() as stack:
        cells = []
        recycler = _recycler(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        for name, started in SOFTWARE.items():
            here = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            module = stack.enter_context(started(here))
            cells += _cells(name, module, recycler)
        yield cells


def _recycler(here: Path) -> Path:
    """Build recycle.c, with the ring's arithmetic as it is."""
    native = ROOT / "native"
    sources = [Path(__file__).with_name("recycle.c")]
    sources += [
        native / "src" / name for name in ("ring/layout.c", "ring/wake.c", "memory/fault.c")
    ]
    folders = [f"-I{native / folder}" for folder in ("include", "src")]
    library = here / "recycle.so"
    subprocess.run([*COMPILER, "-fPIC", "-shared", *folders, "-o", library, *sources], check=True)
    return library


def _cells(name: str, module: Module, recycler: Path) -> list[Cell]:
    table: dict[str, Any] = module.table

    def cell(call_bytes: int, sessions: int, way: str = "bare", source: str = "source") -> Cell:
        reading = Reading(
            str(module.path),
            call_bytes,
            sessions,
            label=LABELS.get(name),
            slot=table.get("slot"),
            init_args=table.get("init_args"),
            recycler=str(recycler),
        )
        return Cell(name, reading, way, source, environment=table.get("env", {}))

    cells = [cell(*shape) for shape in SHAPES]
    cells += [cell(*shape, source="source alone") for shape in ALONE]
    if "init_args" not in table:  # python-pkcs11 gives none
        cells += [cell(call_bytes, 1, "python") for call_bytes in PYTHON_CALLS]
    return cells


@contextmanager
def paced() -> Iterator[list[Cell]]:
    """The test token with the pace of real HSMs, each cell with a token of its own."""
    with tempfile.TemporaryDirectory() as here:
        cells = []
        for number, (call_bytes, bytes_per_second, sessions) in enumerate(PACED):
            token = TestToken(Path(here, f"token-{number}"))
            token.picoseconds_per_byte = 10**12 // bytes_per_second
            token.latency_us = LATENCY_US
            cells.append(
                Cell(
                    f"test token, {bytes_per_second / 1000:g} kB/s",
                    Reading(str(token.module), call_bytes, sessions),
                    source="slow source",
                    seconds=max(3 * BURST_SECONDS, PACED_CALLS * call_bytes / bytes_per_second),
                    environment=token.environment,
                )
            )
        yield cells
