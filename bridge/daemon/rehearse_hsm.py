"""The HSM of a rehearsal: the real source behind a gate that lets through what the scenario says.

The gate keeps the books of a ring that is filled at the scenario's rate: it has the same size, it
begins with what the real ring holds, an outage leaves what is in it to be had, and what was taken
makes room once its request has ended. The source itself is not touched: pausing a vendor's module
would be a fault of another kind, and the pusher could not tell the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.source.status import Rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.feed.pusher import Shape
    from bridge.source.account import Account
    from bridge.source.supply import Supplier
    from bridge.source.take import Take

_SAMPLE_SECONDS = 0.25  # as often as a source samples its own rate


class HsmGate:
    """Stands for both the supply and its shape; `None` bytes per second is no limit at all."""

    def __init__(self, supply: Supplier, shape: Shape, clock: Callable[[], float]) -> None:
        self._supply = supply
        self._shape = shape
        self._clock = clock
        self._limit: float | None = None
        self._made = 0.0  # all bytes that were ever let through into the ring of the books
        self._at = clock()
        self._full = False
        self._rate = Rate()
        self._sampled = self._at, self._made
        self._callbacks: list[Callable[[], None]] = []

    def set_limit(self, bytes_per_second: float | None) -> None:
        """Let so much through from now on, beside what the ring holds at this moment."""
        self._fill()
        there = self._gone(self._supply.account()) + self._supply.available_bytes
        self._made = there if self._limit is None else min(self._made, there)
        self._limit = bytes_per_second
        self._sampled = self._at, self._made

    def tick(self) -> None:
        """Tell who waits for bytes that there are more; to be called many times a second."""
        if self._limit is None:
            return
        there = self.available_bytes
        seconds = self._at - self._sampled[0]
        if seconds >= _SAMPLE_SECONDS:
            made = round(self._made - self._sampled[1])
            self._rate.sample(made, seconds, full=self._full)
            self._sampled = self._at, self._made
        if there:
            for callback in tuple(self._callbacks):
                callback()

    # ---- the supply -----------------------------------------------------------------------------

    @property
    def available_bytes(self) -> int:
        """Raw bytes to be had now."""
        there = self._supply.available_bytes
        if self._limit is None:
            return there
        self._fill()
        held = int(self._made) - self._gone(self._supply.account())
        return max(0, min(there, held // 3 * 3))

    def take(self, max_raw_bytes: int) -> Take | None:
        """Take whole 3-byte groups, at most `max_raw_bytes`; None when there is nothing."""
        return self._supply.take(min(max_raw_bytes, self.available_bytes))

    def on_data(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever bytes arrive or come back; returns how to end that."""
        self._callbacks.append(callback)
        forget = self._supply.on_data(callback)

        def remove() -> None:
            forget()
            self._callbacks.remove(callback)

        return remove

    def purge(self) -> None:
        """Discard all that is not spent."""
        self._supply.purge()

    def account(self) -> Account:
        """Say where every byte went."""
        return self._supply.account()

    # ---- its shape ------------------------------------------------------------------------------

    def capacity_bytes(self) -> int:
        """Raw bytes that all rings hold when they are full."""
        return self._shape.capacity_bytes()

    def most_bytes(self) -> int:
        """Raw bytes that can be had at once."""
        return self._shape.most_bytes()

    def rate_bytes_per_second(self) -> float:
        """Raw bytes that the HSM adds while there is space, as far as that has shown itself."""
        rate = self._shape.rate_bytes_per_second()
        return rate if self._limit is None else min(rate, self._rate.bytes_per_second)

    def _fill(self) -> None:
        now = self._clock()
        seconds, self._at = now - self._at, now
        if self._limit is None or seconds <= 0:
            return
        account = self._supply.account()
        settled = self._gone(account) - account.in_flight
        full_at = settled + self._shape.capacity_bytes()
        self._made = min(self._made + self._limit * seconds, max(self._made, full_at))
        self._full = self._made >= full_at

    @staticmethod
    def _gone(account: Account) -> int:
        """Count what has left the ring, or is about to."""
        fates = account.delivered + account.refused + account.unknown
        return fates + account.purged + account.in_flight
