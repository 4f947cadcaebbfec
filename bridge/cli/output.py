"""What commands print: JSON for programs, tables for people, one line for errors."""

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from bridge.config import one_line

if TYPE_CHECKING:
    from rich.console import Console


def complete_streams() -> None:
    """Give the process the standard streams that it was started without: nothing goes there.

    Otherwise the next file that is opened would take their place.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def print_json(value: object) -> None:
    """Print a JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_error(text: str) -> None:
    """Print the one line that an error is."""
    with contextlib.suppress(OSError):  # nobody reads it; the exit code says it too
        print(f"entropy-bridge: {one_line(text)}", file=sys.stderr)


def warn(text: str) -> None:
    """Print a line that does not end the command."""
    print_error(f"warning: {text}")


def console() -> "Console":
    """Return a rich console on standard output; piped output is wide and has no colours."""
    from rich.console import Console  # noqa: PLC0415 (slow, and most commands do without)

    width = None if sys.stdout.isatty() else 200
    return Console(width=width, highlight=False, emoji=False, markup=False)


def waiting(text: str) -> contextlib.AbstractContextManager[object]:
    """Show on a terminal what is waited for; a vCenter that hangs takes half a minute to say so."""
    from rich.console import Console  # noqa: PLC0415 (as above)

    screen = Console(stderr=True)
    if not screen.is_terminal or screen.is_dumb_terminal:
        return contextlib.nullcontext()
    return screen.status(text)
