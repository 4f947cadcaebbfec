"""`entropy-bridge config`: the schema, and the configuration in effect."""

import argparse

from bridge.cli.arguments import add_action, add_config, add_json
from bridge.cli.errors import Code
from bridge.cli.output import print_json
from bridge.config import effective, json_schema, load, toml_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `schema` and `show`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="schema|show")
    schema = add_action(actions, "schema", "print the JSON Schema of the configuration")
    add_json(schema, "the schema is JSON in any case")
    show = add_action(
        actions, "show", "print every setting in effect, defaults included, without secrets"
    )
    add_config(show)
    add_json(show)


def main(arguments: argparse.Namespace) -> int:
    """Print what was asked for."""
    if arguments.action == "schema":
        print_json(json_schema())
        return Code.OK
    shown = effective(load(arguments.config))
    if arguments.json:
        print_json(shown)
    else:
        print(toml_text(shown), end="")
    return Code.OK
