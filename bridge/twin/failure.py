"""How the twin says that it cannot be had: one line, and the exit code of a command that asked."""


class TwinError(Exception):
    """The twin cannot be had like this; one line that says what to do."""

    exit_code = 2


class NoTwin(TwinError):
    """It was asked for rightly, but it is not there, cannot come, or has no such host."""

    exit_code = 1
