"""The command line: picks the command, and sees to it that every failure is one line and a code.

| code | meaning |
|---|---|
| 0 | done |
| 1 | asked rightly, but it did not work |
| 2 | bad usage or configuration |
| 77 | `run` only: a PIN or a first login was refused; do not start again before a look at it |
| 130 | interrupted by Ctrl-C |
"""

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType

from bridge.cli.arguments import Parser, add_action, suggestion
from bridge.cli.errors import Code, CommandError, UsageError
from bridge.cli.output import complete_streams, print_error
from bridge.config import ConfigError

# Each has a module of its name in bridge.cli, with add_arguments() and main(). Only the one that
# runs is imported.
COMMANDS = {
    "demo": "the main job without hardware: soft token, simulated hosts, the bridge between them",
    "run": "the bridge; feeds until it is told to stop",
    "check": "everything that run needs, tried once; says what to mend",
    "hosts": "how full every host's pool is, and how long it lasts unfed",
    "fill": "every host topped up once",
    "hsm": "what a PKCS#11 module offers, and its random bytes",
    "kickstart": "payloads for new hosts, from the HSM to the kickstart file",
    "twin": "a vCenter with hosts behind it, to rehearse with",
    "config": "the configuration's schema, and what is in effect",
}


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_LIKE_INTERRUPTS = (signal.SIGTERM, signal.SIGHUP)
_told: list[signal.Signals] = []


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` say; return the exit code."""
    complete_streams()
    try:
        code = _run(sys.argv[1:] if words is None else words)
    except KeyboardInterrupt:
        _stop_as_told()
        code = Code.INTERRUPTED
    except SystemExit as ended:  # argparse, after --help
        code = int(ended.code or Code.OK)
    except BrokenPipeError:
        _stop_writing()
        return Code.FAILURE
    except Exception as error:  # noqa: BLE001 (no traceback ever reaches a user)
        code = _failed(error)
    return _flushed(code)


def _flushed(code: int) -> int:
    """Write what Python holds back; when that fails, the command did not do what it says."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_writing()
        return Code.FAILURE
    except OSError as error:
        _stop_writing()
        if code == Code.OK:
            print_error(f"standard output: {error.strerror}")
            return Code.FAILURE
    return code


def _failed(error: Exception) -> int:
    if isinstance(error, CommandError):
        print_error(str(error))
        return error.code
    if isinstance(error, ConfigError):
        print_error(str(error))
        return Code.USAGE
    if isinstance(error, OSError):
        where = error.filename
        if where is None and error.errno in _FULL:
            where = "standard output"  # whoever writes files names them
        print_error(f"{'' if where is None else f'{where}: '}{error.strerror or error}")
    else:
        print_error(f"{_described(error)}; this is a bug, please report it")
    return Code.FAILURE


def _run(words: Sequence[str]) -> int:
    parser = Parser(
        prog="entropy-bridge",
        description="Feeds ESXi hosts with entropy from a hardware security module.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    chosen = words[0] if words and words[0] in COMMANDS else None
    module = import_module(f"bridge.cli.{chosen}") if chosen else None
    for name, text in COMMANDS.items():
        command = add_action(commands, name, text)
        if module is not None and name == chosen:
            module.add_arguments(command)
    if words and not words[0].startswith("-") and chosen is None:
        raise UsageError(
            f"there is no command {words[0]!r}{suggestion(words[0], COMMANDS)}; "
            f"commands are {', '.join(COMMANDS)}"
        )
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        meant = [parser] if chosen is None else _meant(commands.choices[chosen], words)
        known = [option for one in meant for option in one.options()]
        raise UsageError(
            f"does not know {unknown[0]!r}{suggestion(unknown[0], known)}; "
            f"see {meant[-1].prog} --help"
        )
    if arguments.version:
        print(f"entropy-bridge {_version()}")
        return Code.OK
    if module is None:
        raise UsageError(f"needs a command: {', '.join(COMMANDS)}; see entropy-bridge --help")
    _hear_interrupts()
    return int(module.main(arguments))


def _hear_interrupts() -> None:
    # bridge.cli.start has set them aside; ignored ones, as in a background job, stay ignored
    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in _LIKE_INTERRUPTS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _: FrameType | None) -> None:
    """Have a signal that ends the process do it as Ctrl-C does: sessions and files are closed."""
    _told.append(signal.Signals(number))
    signal.raise_signal(signal.SIGINT)


def _stop_as_told() -> None:
    """End by the signal that was sent, for whoever waits for this process."""
    for number in _told[:1]:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def _meant(parser: Parser, words: Sequence[str]) -> list[Parser]:
    """Return the command's parser, and behind it that of its action, if `words` have one."""
    meant = [parser]
    for choices in (action.choices for action in parser._actions if action.choices):  # noqa: SLF001
        if isinstance(choices, dict):
            meant += [choices[word] for word in words if word in choices]
    return meant


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, rare)

    try:
        return version("entropy-bridge")
    except PackageNotFoundError:
        return "(not installed)"


def _described(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__}: {error} ({places})"


def _stop_writing() -> None:
    # Python flushes standard output once more when it ends, and would complain.
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
