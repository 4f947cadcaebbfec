"""`entropy-bridge run`: the bridge, for ever."""

import argparse

from bridge.cli.arguments import add_config, add_json
from bridge.config import ConfigError, load
from bridge.daemon.run import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    add_json(parser, "log JSON, whatever the configuration says")


def main(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM, or until there is nothing left that could be done."""
    config = load(arguments.config, need=["hsm", "vcenter"])
    if arguments.json:
        log = config.log.model_copy(update={"format": "json"})
        config = config.model_copy(update={"log": log})
    try:
        return run(config)
    except ConfigError as error:
        raise error.within(arguments.config) from None
