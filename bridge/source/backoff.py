# SPDX-License-Identifier: Apache-2.0
"""How long to wait before a source is started anew."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Doubles from `first_seconds` to `most_seconds`; each wait is shortened by up to a quarter."""

    def __init__(
        self,
        first_seconds: float,
        most_seconds: float,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._uniform = uniform
        self._next_seconds = first_seconds

    def reset(self) -> None:
        """Begin again: it worked."""
        self._next_seconds = self._first_seconds

    def wait_seconds(self) -> float:
        """Say how long to wait this time."""
        seconds = self._next_seconds
        self._next_seconds = min(2 * seconds, self._most_seconds)
        return seconds * (1 - self._uniform() / 4)
