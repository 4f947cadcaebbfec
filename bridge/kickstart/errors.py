"""Why a payload cannot be built, read or destroyed; each is one line that says what to do."""


class KickstartError(Exception):
    """It cannot go on. The text never holds entropy."""
