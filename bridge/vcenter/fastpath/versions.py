"""Which releases of aiohttp the fast path was tested with; with any other it is not used."""

import re

import aiohttp

TESTED_FROM = (3, 12)
TESTED_BEFORE = (3, 15)


def is_tested_with(version: str = aiohttp.__version__) -> bool:
    """Say whether this is a release of aiohttp that the fast path knows."""
    found = re.match(r"(\d+)\.(\d+)\.", version)
    return found is not None and TESTED_FROM <= (int(found[1]), int(found[2])) < TESTED_BEFORE
