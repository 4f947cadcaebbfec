"""Whether a vCenter can be used, whether it lists its hosts, and how long to leave it alone."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import structlog

    from bridge.vcenter.errors import VCenterError

# First and longest pause while a vCenter cannot be reached. A few looks are no load for one that
# comes back, and its hosts have lived on their pools for as long as it was away.
_RETRY_SECONDS = (1.0, 5.0)
_LIST_SECONDS = (1.0, 30.0)  # the same while it does not list its hosts
_SAY_AGAIN_SECONDS = 60.0  # one that comes and goes is said to have gone no more often
_LOST_IN_A_ROW = 3  # requests without an answer, and none with one between: nobody is there ...
_LOST_OF_THOSE = 4  # ... unless so many run that chance does it: then this part of them


class SiteState(StrEnum):
    """What the bridge knows of a vCenter."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    REFUSED = "refused"  # the first login was refused: nothing is tried any more


class Standing:
    """One vCenter's; each reason for an outage is logged once in it, and once in a minute."""

    def __init__(self, *, clock: Callable[[], float], log: structlog.stdlib.BoundLogger) -> None:
        self.state = SiteState.CONNECTING
        self.lists_hosts = False  # it did when it was last asked
        self._clock = clock
        self._log = log
        self._error = ""
        self._list_error = ""
        self._list_seconds = _LIST_SECONDS[0]
        self._said_at: dict[str, float] = {}
        self._said: set[str] = set()  # since it was last up
        self._down_until = float("-inf")
        self._lost_in_a_row = 0
        self._answered_at = float("-inf")
        self._retry_seconds = _RETRY_SECONDS[0]

    @property
    def last_error(self) -> str:
        """Why it cannot be used, or else why it does not list its hosts; empty when it does."""
        return self._error or self._list_error

    def refused(self, error: VCenterError) -> None:
        """Note that the first login was refused."""
        self.state = SiteState.REFUSED
        self._error = str(error)

    def down(self, error: VCenterError, reason: str = "") -> None:
        """Note that it cannot be used; `reason` is what other texts may say the same of."""
        reason, now = reason or str(error), self._clock()
        said_at = self._said_at.get(reason, float("-inf"))
        if reason not in self._said and now - said_at >= _SAY_AGAIN_SECONDS:
            self._said.add(reason)
            self._said_at[reason] = now
            self._log.error("vCenter cannot be used", error=str(error))
        self.state = SiteState.DOWN
        self._error = str(error)

    def unreachable(self, error: VCenterError, reason: str = "") -> float:
        """Note that it does not answer; returns how many seconds to leave it alone."""
        now = self._clock()
        if now >= self._down_until:  # the many requests that fail together count once
            pause = self._retry_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries
            self._retry_seconds = min(2 * self._retry_seconds, _RETRY_SECONDS[1])
            self._down_until = now + pause
        self.down(error, reason)
        return self._down_until - now

    def reached(self, limit: int) -> None:
        """Note that it can be used, with `limit` requests at a time."""
        if self.state is SiteState.CONNECTING or self._said:
            self._log.info("vCenter is up", limit=limit)
        self.state = SiteState.UP
        self._error = ""
        self._said.clear()
        soon = self._clock() - _SAY_AGAIN_SECONDS
        self._said_at = {reason: at for reason, at in self._said_at.items() if at > soon}
        self._retry_seconds = _RETRY_SECONDS[0]

    def listed(self, limit: int) -> None:
        """Note that it listed its hosts, and so can be used."""
        if self._list_error:
            self._log.info("hosts are listed again")
        self.lists_hosts = True
        self._list_error = ""
        self._list_seconds = _LIST_SECONDS[0]
        self.reached(limit)

    def unlisted(self, error: VCenterError, *, answers: bool) -> float:
        """Note that it did not list its hosts; returns in how many seconds to ask for them again.

        `answers` says that it has a session and answered: then the hosts that are known are fed.
        """
        self.lists_hosts = False
        if not answers or self.state is not SiteState.UP:
            self.down(error)
        elif str(error) != self._list_error:
            self._list_error = str(error)
            self._log.error("hosts cannot be listed", error=str(error))
        pause = self._list_seconds
        self._list_seconds = min(2 * pause, _LIST_SECONDS[1])
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries

    def answered(self) -> None:
        """Note that a request had an answer, whatever it was."""
        self._lost_in_a_row = 0
        self._answered_at = self._clock()

    def lost(self, error: VCenterError, began_at: float, in_flight: int) -> float:
        """Note a request without one, of `in_flight`; returns how long to leave the vCenter alone.

        The seconds are 0 while it may have been one connection's trouble, or one host's. It was if
        others were answered while it waited: hosts that hang time out together, long after.
        """
        if began_at < self._answered_at:
            return 0.0
        self._lost_in_a_row += 1
        enough = max(_LOST_IN_A_ROW, in_flight // _LOST_OF_THOSE)
        if self._lost_in_a_row < enough:
            return 0.0
        return self.unreachable(error, type(error).__name__)  # each text names another host
