"""`entropy-bridge kickstart`: payloads for new hosts, from the HSM to the kickstart file."""

import argparse
from pathlib import Path

from bridge.cli.arguments import add_action, add_json, size
from bridge.cli.errors import CommandError
from bridge.cli.hsm_choice import add_choice
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.sources import parse_sources

_SIZE = "1MiB"
_SOURCES = "8"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `build`, `check` and `shred`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|check|shred")
    build = add_action(actions, "build", "draw a payload for each new host, and write it")
    add_choice(build)
    _add_build(build)
    check = add_action(actions, "check", "read files as the installer does, and test the bytes")
    check.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="a kickstart file; or bytes (.dat), or Base64 text (.b64)",
    )
    add_json(check)
    shred = add_action(actions, "shred", "overwrite and remove payloads that are used")
    shred.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what build wrote")
    shred.add_argument("--force", action="store_true", help="even if it holds no payload")
    add_json(shred)


def _add_build(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "--size",
        type=size,
        default=_SIZE,
        metavar="N",
        help=f"bytes for each host, 512KiB to 10MB ({_SIZE})",
    )
    build.add_argument(
        "--sources",
        type=_sources,
        default=_SOURCES,
        metavar="MASK",
        help="where the host takes entropy from: 0 to 15, or names such as rdseed+entropyd "
        f"({_SOURCES}: entropyd alone, for EAL4)",
    )
    hosts = build.add_mutually_exclusive_group()
    hosts.add_argument("--hosts", metavar="A,B,…", help="the hosts; their names become file names")
    hosts.add_argument("--hosts-file", type=Path, metavar="FILE", help="a host in each line")
    template = build.add_mutually_exclusive_group()
    template.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="write kickstart files, after this one; without: .dat and .b64",
    )
    template.add_argument(
        "--root-hash-file",
        type=Path,
        metavar="FILE",
        help="write kickstart files of our own: first disk, DHCP, and this hash of a root password",
    )
    build.add_argument(
        "--output",
        type=_folder,
        required=True,
        metavar="DIR",
        help="where to; made if it is missing",
    )
    build.add_argument("--force", action="store_true", help="replace files that exist")
    build.add_argument(
        "--missing", action="store_true", help="only for hosts that have no files there yet"
    )
    add_json(build)


def _folder(text: str) -> Path:
    if not text:  # a variable that is not set, say; it would be the current directory
        raise argparse.ArgumentTypeError("names no directory")
    return Path(text)


def _sources(text: str) -> int:
    try:
        return parse_sources(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments: argparse.Namespace) -> int:
    """Build, check or shred."""
    try:
        if arguments.action == "build":
            from bridge.cli.kickstart_build import build  # noqa: PLC0415 (brings the native code)

            return build(arguments)
        if arguments.action == "check":
            from bridge.cli.kickstart_check import check  # noqa: PLC0415 (only what is needed)

            return check(arguments)
        from bridge.cli.kickstart_shred import shred_files  # noqa: PLC0415 (the same)

        return shred_files(arguments)
    except KickstartError as error:
        raise CommandError(str(error)) from None
