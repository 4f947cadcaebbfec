"""`entropy-bridge hsm`: what a PKCS#11 module offers, how fast it is, and its random bytes."""

import argparse

from bridge.cli.arguments import add_action, add_json, size
from bridge.cli.errors import Code, CommandError
from bridge.cli.hsm_choice import ChosenHsm, add_choice, chosen_hsm
from bridge.cli.hsm_probe_arguments import add_probe_arguments
from bridge.cli.hsm_view import module_details, slots_table
from bridge.cli.output import console, print_json, warn
from bridge.hsm.records import ModuleInfo
from bridge.hsm.selection import HsmError
from bridge.source.inspect import inspect_module
from bridge.source.process import child_environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `list`, `info`, `probe` and `random`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|info|probe|random")
    for action, text in (
        ("list", "list slots and tokens"),
        ("info", "say everything that the module tells of itself, mechanisms included"),
    ):
        look = add_action(actions, action, text)
        add_choice(look)
        add_json(look)
    add_probe_arguments(
        add_action(actions, "probe", "measure it: the best call size, bytes/s by sessions")
    )
    random = add_action(actions, "random", "random bytes to a file or standard output")
    add_choice(random)
    add_json(random, "print what was written as JSON; needs --output FILE")
    random.add_argument("--bytes", type=size, required=True, metavar="N", help="32, 64KiB, 10MiB")
    random.add_argument(
        "--output",
        default="-",
        metavar="FILE",
        help="where to (standard output); a file is for its owner only, and whole or not there",
    )
    random.add_argument("--force", action="store_true", help="replace the file if it exists")
    form = random.add_mutually_exclusive_group()
    form.add_argument("--hex", action="store_true", help="write hexadecimal text")
    form.add_argument("--base64", action="store_true", help="write Base64 text")


def main(arguments: argparse.Namespace) -> int:
    """Look, measure or draw."""
    if arguments.action == "probe":
        from bridge.cli.hsm_probe import probe  # noqa: PLC0415 (brings the native code)

        return probe(arguments)
    if arguments.action == "random":
        from bridge.cli.hsm_random import draw_random  # noqa: PLC0415 (brings the native code)

        return draw_random(arguments)
    chosen = chosen_hsm(arguments)
    info = _inspected(chosen)
    if not info.slots:
        warn(
            f"{chosen.called}: the module shows no slot at all; is the HSM connected, and does the "
            "module want a variable in env (--env NAME=VALUE)?"
        )
    if arguments.json:
        print_json(info.as_json())
    elif arguments.action == "list":
        console().print(slots_table(info))
    else:
        console().print(module_details(info))
    return Code.OK


def _inspected(chosen: ChosenHsm) -> ModuleInfo:
    hsm = chosen.config
    try:
        return inspect_module(
            hsm.module, hsm.init_args, child_environment(hsm.env), hsm.start_timeout_seconds
        )
    except HsmError as error:
        raise CommandError(chosen.said(error)) from None
