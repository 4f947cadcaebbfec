"""Command lines: parsers whose mistakes are one line, and the options that commands share."""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bridge.cli.errors import UsageError
from bridge.config.values import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import SupportsWrite

CONFIG_PATH = Path("/etc/entropy-bridge/bridge.toml")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing its usage and exiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where the help is."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; argparse would keep it to itself that nobody could read it."""
        (file or sys.stdout).write(self.format_help())

    def options(self) -> list[str]:
        """Return every option that is known here."""
        return [name for action in self._actions for name in action.option_strings]


def add_action(actions: Any, name: str, text: str) -> Parser:
    """Add a command of a command; `text` says what it does, in the list and in its own help."""
    parser: Parser = actions.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    return parser


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" when something known is close to `word`."""
    close = get_close_matches(word.partition("=")[0], list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=CONFIG_PATH,
        help=f"the configuration ({CONFIG_PATH})",
    )


def add_json(parser: argparse.ArgumentParser, text: str = "print JSON for programs") -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help=text)


def size(text: str) -> int:
    """Read a size for argparse: 1024, 256KiB, 2MiB."""
    try:
        return parse_size(int(text) if text.isascii() and text.isdigit() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
