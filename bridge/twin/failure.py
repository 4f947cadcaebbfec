"""The one exception with which the twin refuses to be had like this."""


class TwinError(Exception):
    """The twin cannot be had like this; one line that says what to do."""
