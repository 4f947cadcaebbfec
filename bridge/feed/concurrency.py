"""How many requests one vCenter is sent at once: few at first, more while it keeps up."""

from __future__ import annotations

from collections import deque
from enum import Enum

_START = 8
_BASELINE_SECONDS = 60.0  # the fastest average within this time is what the vCenter can do unloaded
_SLOWER_BY = 3.0  # this many times the baseline, and ...
_SLOWER_BY_SECONDS = 0.1  # ... this much on top: queues have formed
_TRIAL = 0.6  # to this part of the limit it is tried whether fewer requests are faster ones ...
_HELPED = 0.85  # ... which they are when answers take less than this part of the time
_SMOOTH = 16  # answers, over which the average goes
_ONE_COUNTS = 4.0  # an answer counts for this many times the average at most: it may be one host's
_DECREASES_APART_SECONDS = 1.0
_WINDOW = 20  # ended requests, of which more than half must be in trouble to be more than chance


class Outcome(Enum):
    """What an ended request says about its vCenter's load."""

    GOOD = "good"
    UNAVAILABLE = "unavailable"  # 503: one host's trouble, unless many hosts say so at once
    THROTTLED = "throttled"  # 429, a proxy's 503, no session: vCenter's own
    LOST = "lost"  # no answer: one connection's trouble or one host's, unless many are lost
    NEUTRAL = "neutral"  # an answer that says nothing about load, as 404
    NONE = "none"  # cancelled or called off: whether there was an answer is not known


class Gate:
    """A limit between 1 and `ceiling` requests: additive increase, multiplicative decrease.

    Before the first trouble it doubles in a round trip. What vCenter says of itself lowers it at
    once; what may be the trouble of one host or one connection does when most requests have it.
    Answers that have become slow lower it; if they stay as slow, the way has become longer and no
    queue is ours: it goes back to where it was.
    The clock is the caller's: `now` is in seconds and only ever grows.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.in_flight = 0
        self._limit = float(min(_START, ceiling))
        self._paused_until = float("-inf")
        self._decreased_at = float("-inf")
        self._smoothed_seconds = 0.0
        self._n_timed = 0
        self._baseline: deque[tuple[float, float]] = deque()  # (when, seconds), seconds rising
        self._trial: tuple[float, float] | None = None  # limit when it got slow, seconds at worst
        self._untroubled = True
        self._recent: deque[bool] = deque(maxlen=_WINDOW)  # True: in trouble

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return max(1, int(self._limit))

    def opens_at(self) -> float | None:
        """When a pause ends; None while the gate is full, for then a request's end opens it."""
        return self._paused_until if self.in_flight < self.limit else None

    def is_open(self, now: float) -> bool:
        """Whether a further request may begin now."""
        return self.in_flight < self.limit and now >= self._paused_until

    def pause(self, until: float) -> None:
        """Begin nothing before `until`: the vCenter asked for it, or cannot be reached."""
        self._paused_until = max(self._paused_until, until)

    def deserted(self, now: float) -> None:
        """Nobody answers any more: begin with few when somebody does."""
        self._trial = None
        self._decrease(now, 0.5)

    def resume(self) -> None:
        """End a pause: what it was for is over."""
        self._paused_until = float("-inf")

    def change(self, ceiling: int) -> None:
        """Let up to `ceiling` requests be in flight, as far as the vCenter keeps up."""
        self.ceiling = ceiling
        self._limit = min(self._limit, float(ceiling))

    def begun(self) -> None:
        """Count a request that begins."""
        self.in_flight += 1

    def ended(self, now: float, outcome: Outcome, seconds: float | None = None) -> None:
        """Count a request that ended; `seconds` is its time where that is comparable (looks)."""
        was_full = self.in_flight >= self.limit
        was_used = self.in_flight * 2 >= self.limit  # or the limit has no part in what happens
        self.in_flight -= 1
        is_alone = outcome in (Outcome.UNAVAILABLE, Outcome.LOST)
        self._recent.append(is_alone)
        if outcome is Outcome.THROTTLED:
            self._trial = None
            self._decrease(now, 0.5)
        elif is_alone:
            if len(self._recent) == _WINDOW and sum(self._recent) * 2 > _WINDOW:
                self._decrease(now, 0.5)
        elif seconds is not None and self._is_slower(now, seconds):
            if was_used:
                self._decrease(now, 0.9)
                self._judge_trial(now)
        elif outcome is Outcome.GOOD and was_full:
            step = 1.0 if self._untroubled else 1.0 / self._limit
            self._limit = min(float(self.ceiling), self._limit + step)

    def _decrease(self, now: float, factor: float) -> None:
        if now - self._decreased_at >= _DECREASES_APART_SECONDS:
            self._decreased_at = now
            self._untroubled = False
            self._limit = max(1.0, self._limit * factor)
            self._recent.clear()

    def _is_slower(self, now: float, seconds: float) -> bool:
        self._n_timed += 1
        if self._n_timed > _SMOOTH:
            seconds = min(seconds, _ONE_COUNTS * self._smoothed_seconds)
        self._smoothed_seconds += (seconds - self._smoothed_seconds) / min(_SMOOTH, self._n_timed)
        if self._n_timed < _SMOOTH:
            return False
        smoothed = self._smoothed_seconds
        baseline = self._baseline
        while baseline and baseline[-1][1] >= smoothed:
            baseline.pop()
        baseline.append((now, smoothed))
        while baseline[0][0] < now - _BASELINE_SECONDS:
            baseline.popleft()
        fastest = baseline[0][1]
        if smoothed <= max(_SLOWER_BY * fastest, fastest + _SLOWER_BY_SECONDS):
            self._trial = None
            return False
        limit, slowest = self._trial or (self._limit, 0.0)
        self._trial = limit, max(slowest, smoothed)
        return True

    def _judge_trial(self, now: float) -> None:
        """Go back to the limit of before if fewer requests at once did not make answers faster."""
        if self._trial is None:
            return
        limit, slowest = self._trial
        no_help = self._limit <= _TRIAL * limit and self._smoothed_seconds > _HELPED * slowest
        if no_help or self._limit <= 1.0:  # a single request does not wait for others of ours
            self._limit = min(limit, float(self.ceiling))
            self._baseline.clear()
            self._baseline.append((now, self._smoothed_seconds))
            self._trial = None
