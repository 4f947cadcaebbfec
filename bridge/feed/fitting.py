"""How much fits into one request to a vCenter: found by what it refuses, seldom tried again.

A limit on bodies is a setting of vCenter or of a proxy in front of it, and outlives most runs of
the bridge. To try whether it is still there costs the bytes of a refused request. So that is done
by one request at a time, which somebody wanted that large, after 10 minutes, and after each
refusal twice as long, up to a day; with a limit that stays that is once a day in the end.
"""

from __future__ import annotations

_LEAST_BYTES = 12_288  # no proxy's limit is lower, and with much less no host could be kept fed
_AGAIN_SECONDS = (600.0, 86_400.0)  # before the first trial, and at most between two


class Fitting:
    """One vCenter's limit, in raw bytes; `most_bytes` is the configured one.

    `allowed_bytes` is what the next request may carry. The caller says when a request begins and
    how it ends; the clock is the caller's.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._fitting_bytes = most_bytes
        self._trial_bytes: int | None = None
        self._again_seconds = _AGAIN_SECONDS[0]
        self._again_at = float("inf")

    def allowed_bytes(self, now: float) -> int:
        """Return the most that a request which begins now may carry."""
        if now < self._again_at:
            return self._fitting_bytes
        return min(self._most_bytes, 2 * self._fitting_bytes)

    def begun(self, n_bytes: int, now: float) -> None:
        """Note a request; one that is larger than what is known to fit is the trial."""
        if n_bytes > self._fitting_bytes:
            self._trial_bytes = n_bytes
            self._again_at = now + self._again_seconds

    def accepted(self, n_bytes: int, now: float) -> None:
        """Note that a request went through."""
        if n_bytes <= self._fitting_bytes:
            return
        was_all = n_bytes >= min(self._most_bytes, 2 * self._fitting_bytes - 2)
        self._fitting_bytes = n_bytes
        self._trial_bytes = None
        if n_bytes + 2 >= self._most_bytes:  # requests are whole groups of three
            self._fitting_bytes = self._most_bytes
            self._again_seconds, self._again_at = _AGAIN_SECONDS[0], float("inf")
        elif was_all:
            self._again_at = now

    def refused(self, n_bytes: int, now: float) -> None:
        """Note a 413: half as much is tried next, but not next to nothing.

        Who refuses even little means something else.
        """
        if n_bytes == self._trial_bytes:
            self._trial_bytes = None
            self._again_seconds = min(2 * self._again_seconds, _AGAIN_SECONDS[1])
        else:
            self._fitting_bytes = min(self._fitting_bytes, max(_LEAST_BYTES, n_bytes // 2))
        self._again_at = now + self._again_seconds
