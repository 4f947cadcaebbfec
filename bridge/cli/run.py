"""`entropy-bridge run`: the bridge, for ever."""

import argparse
from collections.abc import Callable

from bridge.cli.arguments import add_config, add_json
from bridge.config import BridgeConfig, ConfigError, check_files, load
from bridge.daemon.run import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    add_json(parser, "log JSON, whatever the configuration says")


def main(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM, or until there is nothing left that could be done."""

    def read(warn: Callable[[str], None]) -> BridgeConfig:
        config = load(arguments.config, need=["hsm", "vcenter"])
        try:
            check_files(config, warn)
        except ConfigError as error:
            raise error.within(arguments.config) from None
        if arguments.json:
            log = config.log.model_copy(update={"format": "json"})
            config = config.model_copy(update={"log": log})
        return config

    try:
        return run(read)
    except ConfigError as error:
        raise (error if error.path else error.within(arguments.config)) from None
