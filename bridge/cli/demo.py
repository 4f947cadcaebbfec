"""`entropy-bridge demo`: the main job without hardware."""

import argparse

from bridge.cli.arguments import add_json
from bridge.cli.errors import UsageError
from bridge.daemon.demo import DemoOptions, run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--hosts", type=int, default=300, metavar="N", help="how many hosts to simulate (300)"
    )
    parser.add_argument(
        "--until-fed", action="store_true", help="end when every host is above its watermark"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="end after that many seconds (never)"
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="P", help="port of the status page (a free one)"
    )
    add_json(parser, "print one JSON document at the end, and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    if not 1 <= arguments.hosts <= 100_000:
        raise UsageError("--hosts must be between 1 and 100000")
    if not 0 <= arguments.port <= 65535:
        raise UsageError("--port must be between 0 and 65535")
    if arguments.seconds is not None and not 0 < arguments.seconds < float("inf"):
        raise UsageError("--seconds must be a number above 0")
    return run(
        DemoOptions(
            hosts=arguments.hosts,
            until_fed=arguments.until_fed,
            seconds=arguments.seconds,
            port=arguments.port,
            json=arguments.json,
        )
    )
