"""`entropy-bridge check`: everything that `run` needs, tried once."""

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import asdict

from rich.text import Text

from bridge.cli.arguments import add_config, add_json
from bridge.cli.errors import Code
from bridge.cli.output import console, print_json
from bridge.config import BridgeConfig, load
from bridge.daemon.check import Step, Verdict, check
from bridge.telemetry import log

_WORDS = {
    Verdict.GOOD: ("good", "green"),
    Verdict.WARNING: ("note", "yellow"),
    Verdict.BAD: ("BAD", "bold red"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Try, and say what was seen; 1 when something has to be mended before `run` can work."""
    config = load(arguments.config, need=["hsm", "vcenter"])
    screen = console()
    steps: list[Step] = [Step(str(arguments.config), Verdict.GOOD, "a valid configuration")]

    def show(step: Step) -> None:
        if not arguments.json:
            word, style = _WORDS[step.verdict]
            screen.print(Text.assemble((f"{word:4}", style), f"  {step.subject}: {step.text}"))

    show(steps[0])
    log.silence()
    steps += asyncio.run(_steps(config, show))
    if arguments.json:
        print_json([asdict(step) for step in steps])
    return Code.FAILURE if any(step.verdict is Verdict.BAD for step in steps) else Code.OK


async def _steps(config: BridgeConfig, show: Callable[[Step], None]) -> list[Step]:
    steps = []
    async for step in check(config):
        show(step)
        steps.append(step)
    return steps
