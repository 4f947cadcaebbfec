"""How a command fails: with one line and an exit code."""

from enum import IntEnum


class Code(IntEnum):
    """Exit codes that every command has; `run` adds those of bridge.daemon.exits."""

    OK = 0
    FAILURE = 1  # it was asked rightly and did not work
    USAGE = 2  # bad usage or configuration
    INTERRUPTED = 130  # Ctrl-C


class CommandError(Exception):
    """A command cannot go on; the text is one line that says what to do."""

    def __init__(self, text: str, code: int = Code.FAILURE) -> None:
        self.code = code
        super().__init__(text)


class UsageError(CommandError):
    """The command line is wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Code.USAGE)
