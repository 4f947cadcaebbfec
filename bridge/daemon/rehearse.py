"""`entropy-bridge twin rehearse`: the real bridge against a twin that plays a scenario.

What a scenario is made of and what passes is not known here: the order goes to the player as it
is, and its lines go to the caller as they are.
"""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from bridge.daemon.app import Bridge
from bridge.daemon.exits import Exit
from bridge.daemon.rehearse_config import rehearsal_config
from bridge.daemon.rehearse_hsm import HsmGate
from bridge.daemon.rehearse_player import Player
from bridge.daemon.sdnotify import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.config import BridgeConfig
    from bridge.feed.pusher import Shape
    from bridge.source.account import Account
    from bridge.source.supply import Supplier

_READY_SECONDS = 150.0  # C_Initialize and C_Login may take 60 each
_STARTS = 2  # `run` would try for ever
_TICK_SECONDS = 0.02
_LOOK_SECONDS = 0.25


class RehearsalEnded(Exception):
    """There is no verdict; one line that says why."""

    def __init__(self, text: str, exit_code: int = Exit.FAILURE) -> None:
        self.exit_code = exit_code
        super().__init__(text)


class RehearsalInterrupted(RehearsalEnded):
    """Somebody asked it to end."""


@dataclass(frozen=True, slots=True)
class GateStep:
    """What the HSM gives at most, from a real second of the scenario on; None: no limit."""

    at_seconds: float
    bytes_per_second: float | None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What to play, against which configuration; all times and rates are real ones."""

    config: BridgeConfig
    soft_token: bool
    order: bytes
    speed: float
    gate: Sequence[GateStep]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it, in real seconds."""

    report: bytes
    account: Account
    looks_overdue_seconds: float
    seconds: float


def rehearse(rehearsal: Rehearsal, show: Callable[[bytes], bool]) -> Played:
    """Play it to the end; `show` is given each line of progress and says which is the last.

    Raises RehearsalEnded, TwinFailed or ConfigError.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_rehearse(rehearsal, show))


async def _rehearse(rehearsal: Rehearsal, show: Callable[[bytes], bool]) -> Played:
    async with Player(rehearsal.order) as player:
        config = rehearsal_config(
            rehearsal.config,
            player.address,
            soft_token=rehearsal.soft_token,
            speed=rehearsal.speed,
        )
        run = _Run(config, player.address.url, rehearsal.gate)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, run.interrupt)
        try:
            await run.until_ready()
            started = time.monotonic()
            await run.play(player, show)
            seconds = time.monotonic() - started
        finally:
            await run.stop()
        report = await player.report()
        return Played(report, run.bridge.supply.account(), run.looks_overdue_seconds, seconds)


class _Run:
    """The bridge while it rehearses."""

    def __init__(self, config: BridgeConfig, url: str, gate: Sequence[GateStep]) -> None:
        strangers = [it.name for it in config.vcenter.values() if it.url != url]
        if strangers:  # no mistake anywhere else may ever send a rehearsal to a real vCenter
            raise RehearsalEnded(f"vcenter.{strangers[0]} does not lead to the twin")
        self.looks_overdue_seconds = 0.0
        self._steps = list(gate)
        self._interrupted = False
        self.bridge = Bridge(config, Notifier(), self._tap)
        self._running = asyncio.create_task(self.bridge.run())

    def interrupt(self) -> None:
        """End without a verdict."""
        self._interrupted = True
        self.bridge.stop()

    async def stop(self) -> None:
        """End the bridge in order."""
        self.bridge.stop()
        await asyncio.wait({self._running})

    async def until_ready(self) -> None:
        """Wait until a source gives bytes that passed their tests."""
        deadline = time.monotonic() + _READY_SECONDS
        while not any(source.is_running for source in self.bridge.sources):
            starts = min(source.status().restarts + 1 for source in self.bridge.sources)
            if starts > _STARTS or time.monotonic() > deadline:
                raise RehearsalEnded(f"no HSM gives bytes: {self._why()}")
            await asyncio.wait({self._running}, timeout=_TICK_SECONDS)
            self._check()

    async def play(self, player: Player, show: Callable[[bytes], bool]) -> None:
        """Let the scenario run to its end."""
        playing = asyncio.create_task(player.play(show))
        if not self._steps or self._steps[0].at_seconds > 0:
            self._gate.set_limit(None)
        try:
            started = looked = time.monotonic()
            while not playing.done():
                await asyncio.wait({playing, self._running}, timeout=_TICK_SECONDS)
                self._check()
                now = time.monotonic()
                self._turn_gate(now - started)
                self._gate.tick()
                if now - looked >= _LOOK_SECONDS:
                    looked = now
                    late = self.bridge.snapshot().look_lateness_seconds
                    self.looks_overdue_seconds = max(self.looks_overdue_seconds, late)
            playing.result()
        finally:
            playing.cancel()

    def _tap(self, supply: Supplier, shape: Shape) -> tuple[HsmGate, HsmGate]:
        # Nothing is let through before the scenario begins, or its fleet would begin full.
        self._gate = HsmGate(supply, shape, time.monotonic)
        self._gate.set_limit(0.0)
        return self._gate, self._gate

    def _turn_gate(self, at_seconds: float) -> None:
        while self._steps and self._steps[0].at_seconds <= at_seconds:
            self._gate.set_limit(self._steps.pop(0).bytes_per_second)

    def _check(self) -> None:
        if self._interrupted:
            raise RehearsalInterrupted("interrupted; there is no verdict")
        if self._running.done():
            raise RehearsalEnded(f"the bridge ended: {self._why()}", self._running.result())

    def _why(self) -> str:
        said = [source.status().last_error for source in self.bridge.sources]
        said += [site.last_error for site in self.bridge.sites.values()]
        return "; ".join(dict.fromkeys(text for text in said if text)) or "without a word"
