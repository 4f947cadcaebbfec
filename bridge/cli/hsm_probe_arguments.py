"""The options of `entropy-bridge hsm probe`."""

import argparse
from pathlib import Path

from bridge.cli.arguments import add_json
from bridge.cli.hsm_choice import add_choice

_SECONDS = 0.3
_SECONDS_MOST = 60.0


def add_probe_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_choice(parser)
    add_json(parser)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=_SECONDS,
        metavar="S",
        help=f"to measure each length and number of sessions for ({_SECONDS:g})",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it, too")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= _SECONDS_MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.01 to {_SECONDS_MOST:g}")
    return seconds
