"""Exit codes of `entropy-bridge run`; the unit file names the ones that it must not restart."""

from enum import IntEnum


class Exit(IntEnum):
    """What the process ends with."""

    OK = 0
    FAILURE = 1
    CONFIGURATION = 2
    REFUSED = 77  # a PIN, or a first login: a second try would lock the token or the account
