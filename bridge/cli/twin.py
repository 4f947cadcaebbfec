"""`entropy-bridge twin`: a vCenter with hosts behind it, to rehearse with."""

import argparse
from pathlib import Path

from bridge.cli.arguments import CONFIG_PATH, add_action, add_json
from bridge.cli.errors import UsageError
from bridge.twin.__main__ import add_arguments as add_twin_arguments
from bridge.twin.__main__ import options_from
from bridge.twin.esxcliclient import add_esxcli_arguments, run_esxcli_command
from bridge.twin.options import TwinError
from bridge.twin.scenario_file import shipped
from bridge.twin.serve import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `serve`, `rehearse` and `esxcli`."""
    names = "serve|rehearse|esxcli"
    actions = parser.add_subparsers(dest="action", required=True, metavar=names)
    serve = add_action(actions, "serve", "serve until Ctrl-C; the first lines say how to reach it")
    add_twin_arguments(serve)
    rehearse = add_action(
        actions, "rehearse", "put the real bridge through a scenario; 0 when it passes, 1 when not"
    )
    _add_rehearse_arguments(rehearse)
    esxcli = add_action(actions, "esxcli", "what ESXi's shell offers, on a running twin's host")
    add_esxcli_arguments(esxcli)


def _add_rehearse_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario", metavar="SCENARIO", help=f"a file, or one of: {', '.join(shipped())}"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"whose HSMs and limits to rehearse ({CONFIG_PATH}); its vCenters are never contacted",
    )
    parser.add_argument(
        "--soft-token", action="store_true", help="in the place of the HSMs; it is not an HSM"
    )
    parser.add_argument(
        "--speed",
        type=float,
        metavar="N",
        help="how many times faster than real (the scenario's with the soft token, 1 with an HSM)",
    )
    parser.add_argument("--hosts", type=int, metavar="N", help="another number of hosts")
    parser.add_argument("--seed", type=int, metavar="N", help="another seed of all dice")
    parser.add_argument(
        "--worst", type=int, default=10, metavar="N", help="how many hosts to show (10)"
    )
    parser.add_argument("--log", action="store_true", help="show the bridge's own log as well")
    add_json(parser, "print one JSON document with every host, and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Serve, rehearse, or run an esxcli command."""
    if arguments.action == "esxcli":
        return run_esxcli_command(arguments)
    if arguments.action == "rehearse":
        from bridge.cli import twin_rehearse  # noqa: PLC0415 (the whole bridge, which is slow)

        return twin_rehearse.main(arguments)
    try:
        options = options_from(arguments)
    except TwinError as error:
        raise UsageError(str(error)) from None
    return run(options)
