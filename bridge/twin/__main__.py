"""`python -m bridge.twin`: the twin without the command line around it."""

import argparse
import sys
from pathlib import Path

from bridge.twin.drain import DrainProfile
from bridge.twin.failure import TwinError
from bridge.twin.options import TwinOptions
from bridge.twin.readings import Readings, describe_readings
from bridge.twin.serve import run

_VALUES: dict[type, str] = {int: "N", float: "N", str: "TEXT", Path: "PATH"}


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments into TwinOptions and serve."""
    parser = argparse.ArgumentParser(prog="python -m bridge.twin", description=__doc__)
    add_arguments(parser)
    try:
        options = options_from(parser.parse_args(arguments))
    except TwinError as error:
        sys.stderr.write(f"entropy-bridge twin: {error}\n")
        return error.exit_code
    return run(options)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every option of a twin; what is not given keeps the default of TwinOptions."""

    def add(name: str, kind: type, text: str) -> None:
        parser.add_argument(
            name, type=kind, metavar=_VALUES[kind], default=argparse.SUPPRESS, help=text
        )

    def flag(name: str, text: str) -> None:
        parser.add_argument(name, action="store_true", default=argparse.SUPPRESS, help=text)

    add("--hosts", int, "how many hosts (300)")
    add("--clusters", int, "how many clusters (4)")
    add("--datacenters", int, "how many datacenters (1)")
    add("--standalone-hosts", int, "how many of the hosts are in no cluster (0)")
    add("--disabled-hosts", int, "how many of the hosts take no external entropy (0)")
    add("--drain-bytes-per-second", float, "what each host uses on average (1024)")
    parser.add_argument(
        "--drain-profile",
        type=_profile,
        metavar="|".join(DrainProfile),
        default=argparse.SUPPRESS,
        help="how evenly it uses it (constant)",
    )
    add("--initial-level", float, "how full the pools are at first, from 0 to 1 (0.5)")
    add("--sources", int, "the hosts' entropySources, 0 to 15 (8: external alone)")
    add("--payload-bytes", int, "what was installed into their storage caches (1 MiB)")
    add("--boot-seconds", float, "how long a host boots (60)")
    add("--spread", float, "by which fraction hosts differ in drain and level (0)")
    add("--seed", int, "the seed of everything that looks random (1)")
    add("--address", str, "where to listen (127.0.0.1)")
    add("--port", int, "the port; 0 takes a free one (0)")
    flag("--allow-remote", "let other machines reach this simulator")
    parser.add_argument(
        "--no-tls",
        dest="tls",
        action="store_false",
        default=argparse.SUPPRESS,
        help="plain HTTP instead of TLS 1.3",
    )
    add("--username", str, "who may log in")
    add("--password-file", Path, "the password; a random one is made without this")
    add("--directory", Path, "where CA and password files go (a private temporary directory)")
    add("--record", Path, "a new directory for a record of all requests and bytes")
    add(
        "--fault-file",
        Path,
        "fault rules as a JSON array, in force from the start; read again at SIGHUP",
    )
    add("--session-idle-seconds", float, "a session ends after that long without a request")
    add("--session-lifetime-seconds", float, "a session ends after that long in any case")
    add("--max-sessions-per-user", int, "how many sessions a user may have (550)")
    add("--max-body-bytes", int, "the longest request body that is taken (2 MiB)")
    add("--speed", float, "how many times faster than real the twin's time runs (1)")
    parser.add_argument(
        "--reading",
        dest="reading_choices",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="what the twin makes of something that the vendor leaves open; see --readings",
    )
    parser.add_argument(
        "--readings",
        dest="list_readings",
        action=ListReadings,
        nargs=0,
        help="list the readings and what each means, and leave",
    )
    flag("--json", "print how to reach the twin as one line of JSON")
    flag("--exit-with-stdin", "end as soon as the standard input is closed")


def _profile(text: str) -> DrainProfile:
    try:
        return DrainProfile(text)
    except ValueError:
        profiles = ", ".join(DrainProfile)
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {profiles}") from None


def options_from(arguments: argparse.Namespace) -> TwinOptions:
    """Return the options that were given; other attributes of the namespace are ignored."""
    known = TwinOptions.__dataclass_fields__
    given = {name: it for name, it in vars(arguments).items() if name in known}
    readings = Readings()
    for choice in arguments.reading_choices:
        readings = readings.choose(choice)
    return TwinOptions(**given, readings=readings)


class ListReadings(argparse.Action):
    """Prints the switches and leaves."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print every switch with its meaning and its values, the default first."""
        sys.stdout.write(describe_readings())
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
