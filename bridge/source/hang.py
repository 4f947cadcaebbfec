# SPDX-License-Identifier: Apache-2.0
"""Hung or slow: decided from the ring's header, in ticks of the one who looks.

Ages are counted in nominal ticks and not read from a clock, so that a machine which was paused
finds nothing hung when it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.native.ring import Phase

if TYPE_CHECKING:
    from bridge.native.ring import RingView


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds."""

    call: float = 60.0  # one C_GenerateRandom, at most
    start: float = 60.0  # C_Initialize, C_Login and the rest of the way up, each
    end: float = 5.0  # from the last word to the end of the process
    call_floor: float = 10.0  # a call younger than this is never hung
    call_factor: float = 4.0  # nor one younger than this many times the slowest so far


class HangWatch:
    """Follows one source process; `slowest_call_seconds` outlives it through its successor."""

    def __init__(
        self, limits: Limits, tick_seconds: float, slowest_call_seconds: float = 0.0
    ) -> None:
        self.slowest_call_seconds = slowest_call_seconds
        self._limits = limits
        self._tick_seconds = tick_seconds
        self._calls: dict[int, tuple[int, float]] = {}  # reader: calls begun, age of that call
        self._calls_begun = -1  # by all of them
        self._rest_age = 0.0  # since any of them was in a call, or had no space for one
        self._phase = (-1, False)  # which phase it is, and whether others are in the way
        self._phase_age = 0.0

    def tick(self, view: RingView, *, has_space: bool = False, waits: bool = False) -> str | None:
        """Look once per tick; says what hangs, if something does.

        `has_space` says that a reader could make a call, `waits` that it is others that have to get
        on first: how long that took is not held against it.
        """
        if view.phase != Phase.RUNNING:
            return self._tick_phase(view, waits=waits)
        return self._tick_calls(view) or self._tick_rest(view, has_space=has_space)

    def _tick_phase(self, view: RingView, *, waits: bool) -> str | None:
        self._calls.clear()
        self._rest_age = 0.0
        if (view.phases, waits) != self._phase:
            self._phase = view.phases, waits
            self._phase_age = 0.0
            return None
        self._phase_age += self._tick_seconds
        limit = self._limits.end if view.phase == Phase.STOPPED else self._limits.start
        if self._phase_age <= limit:
            return None
        return f"hung while {_DOING[view.phase]} for more than {limit:g} s"

    def _tick_calls(self, view: RingView) -> str | None:
        self._phase = view.phases, False
        self._phase_age = 0.0
        hung = None
        for number, reader in enumerate(view.readers):
            slowest = reader.slowest_call_ns / 1e9
            self.slowest_call_seconds = max(self.slowest_call_seconds, slowest)
            if not reader.active or reader.calls_begun == reader.calls_ended:
                self._calls.pop(number, None)
                continue
            begun, age = self._calls.get(number, (-1, 0.0))
            age = age + self._tick_seconds if begun == reader.calls_begun else 0.0
            self._calls[number] = reader.calls_begun, age
            if age > self._call_limit():
                hung = f"hung in C_GenerateRandom for more than {self._call_limit():g} s"
        return hung

    def _tick_rest(self, view: RingView, *, has_space: bool) -> str | None:
        before, self._calls_begun = self._calls_begun, sum(it.calls_begun for it in view.readers)
        rests = has_space and not self._calls and self._calls_begun == before
        self._rest_age = self._rest_age + self._tick_seconds if rests else 0.0
        if self._rest_age <= self._call_limit():
            return None
        return f"made no call for more than {self._call_limit():g} s"

    def _call_limit(self) -> float:
        limits = self._limits
        grown = max(limits.call_floor, limits.call_factor * self.slowest_call_seconds)
        return min(limits.call, grown)


_DOING = {
    Phase.EMPTY: "starting",
    Phase.STARTED: "starting",
    Phase.INITIALISING: "in C_Initialize",
    Phase.SELECTING: "looking for the token",
    Phase.LOGIN: "in C_Login",
    Phase.OPENING: "opening sessions",
    Phase.RUNNING: "running",
    Phase.STOPPED: "ending",
}
