# SPDX-License-Identifier: Apache-2.0
"""What the feeder draws from: one source's bytes, or those of several as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bridge.source.account import Account, Fate
from bridge.source.consumer import Supply
from bridge.source.take import StaleTake, Take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.source.take import Portion

__all__ = ["Account", "Fate", "StaleTake", "Supplier", "Supplies", "Supply", "Take"]


class Supplier(Protocol):
    """What the feeder needs of one source or of several."""

    @property
    def available_bytes(self) -> int:
        """Raw bytes to be had now."""

    def take(self, max_raw_bytes: int) -> Take | None:
        """Take whole 3-byte groups, at most `max_raw_bytes`; None when there is nothing."""

    def on_data(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever bytes arrive or come back; returns how to end that."""

    def purge(self) -> None:
        """Discard all that is not spent; takes that were not sent yet become stale."""

    def account(self) -> Account:
        """Say where every byte went."""


class Supplies:
    """Several sources' bytes as one; the fullest is drawn from first, so that none idles.

    What a source leaves behind goes out before all others.
    """

    def __init__(self, supplies: Sequence[Supply] = ()) -> None:
        self._supplies = tuple(supplies)
        self._left: frozenset[Supply] = frozenset()
        self._callbacks: dict[Callable[[], None], list[Callable[[], None]]] = {}

    def add(self, supply: Supply) -> None:
        """Draw from this one too."""
        self._supplies += (supply,)
        for callback, removals in self._callbacks.items():
            removals.append(supply.on_data(callback))
            callback()

    def use_up(self, supply: Supply) -> None:
        """Draw from this one before all others: nothing is added to it any more."""
        self._left |= {supply}

    def remove(self, supply: Supply) -> None:
        """Draw from this one no longer; what was taken from it stays what it is."""
        self._supplies = tuple(each for each in self._supplies if each is not supply)
        self._left -= {supply}

    @property
    def available_bytes(self) -> int:
        """Raw bytes to be had now."""
        return sum(supply.available_bytes for supply in self._supplies)

    def take(self, max_raw_bytes: int) -> Take | None:
        """Take whole 3-byte groups, at most `max_raw_bytes`; None when there is nothing."""
        if len(self._supplies) == 1:
            return self._supplies[0].take(max_raw_bytes)
        portions: list[Portion] = []
        left = max_raw_bytes
        for supply in sorted(self._supplies, key=self._turn, reverse=True):
            portion = supply.portion(left)
            if portion is not None:
                portions.append(portion)
                left -= portion.text_bytes // 4 * 3
        return Take(portions) if portions else None

    def on_data(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever bytes arrive or come back; returns how to end that."""
        removals = [supply.on_data(callback) for supply in self._supplies]
        self._callbacks[callback] = removals

        def remove() -> None:
            self._callbacks.pop(callback, None)
            for each in removals:
                each()

        return remove

    def purge(self) -> None:
        """Discard all that is not spent; takes that were not sent yet become stale."""
        for supply in self._supplies:
            supply.purge()

    def account(self) -> Account:
        """Say where every byte went."""
        return sum((supply.account() for supply in self._supplies), Account())

    def _turn(self, supply: Supply) -> tuple[bool, int]:
        return supply in self._left, supply.available_bytes
