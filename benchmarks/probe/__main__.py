"""What `hsm probe` finds in each module that the tests start, and in the soft token."""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import machine, write
from bridge.cli.hsm_probe_view import probe_shown
from bridge.cli.output import console
from bridge.config import HsmConfig
from bridge.native import softtoken_path
from bridge.source.probe import probe_token
from tests.support.modules import MODULES, Module


@contextlib.contextmanager
def _soft(_directory: Path) -> Any:
    yield Module(softtoken_path(), {"allow_soft_token": True})


def main() -> None:
    """Probe one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probe", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each length and sessions")
    parser.add_argument("--output", type=Path, help="write all figures here, as JSON")
    options = parser.parse_args()
    found = {}
    for name, start in {**MODULES, "softtoken": _soft}.items():
        with tempfile.TemporaryDirectory() as directory, start(Path(directory)) as module:
            config = HsmConfig(name=name, **module.settings)
            report = probe_token(config, seconds=options.seconds, progress=lambda *_: None)
        console().print(probe_shown(report), end="\n\n")
        found[name] = {**report.as_document(), "module": module.path.name}
        print(f"{name} done", file=sys.stderr)
    if options.output:
        document = {
            "what": "hsm probe: bytes/s by call size and sessions; software tokens, both cores",
            "environment": machine("native", "bridge/native", "bridge/source", "benchmarks/probe"),
            "results": found,
        }
        write(options.output, document)


if __name__ == "__main__":
    main()
