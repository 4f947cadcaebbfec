# SPDX-License-Identifier: Apache-2.0
"""Keeps one token's source process alive, and its supply flowing.

Owns the ring and the child. What hangs is killed, what ended is started anew after a while, and
what was published stays to be had in the meantime; a refused PIN ends it for good.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from bridge.native import softtoken_path
from bridge.native.errors import NativeError
from bridge.native.ring import SLOT_RAW_BYTES, Ring, RingView
from bridge.source.backoff import Backoff
from bridge.source.bucket import Bucket
from bridge.source.ending import Cause, Ending
from bridge.source.errors import SourceError, SourceFailed, SourceMisconfigured, SourceRefused
from bridge.source.exits import line_for
from bridge.source.generation import Generation, Timing
from bridge.source.hang import HangWatch, Limits
from bridge.source.latch import PinLatch
from bridge.source.logins import Logins, Turns
from bridge.source.status import Rate, SourceState, SourceStatus
from bridge.source.supply import Supply
from bridge.source.suspend import SuspendWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.config import HsmConfig
    from bridge.source.log import Log
    from bridge.source.process import SourceProcess


class Source:
    """One token: `run()` keeps it going, `supply` is what comes of it."""

    def __init__(
        self,
        config: HsmConfig,
        *,
        state_dir: Path | None = None,
        latch: PinLatch | None = None,
        logins: Logins | None = None,
        log: Log | None = None,
        clock: Callable[[], float] = time.monotonic,
        timing: Timing | None = None,
        one_shot: bool = False,
        suspended: Callable[[], bool] | None = None,
    ) -> None:
        """`one_shot` gives up where otherwise it would try again before the first byte came.

        `latch` is that of a source before it with the same name, which may have been refused;
        `logins` is what all sources have in common that may mean the same token.
        """
        self.name = config.name
        self.is_soft_token = _is_soft_token(config.module)
        cap = config.max_bytes_per_second
        self._cap = None if cap is None else Bucket(cap, clock)
        self.supply = Supply(suspended or SuspendWatch().slipped, self._cap)
        self._config = config
        self._latch = latch or PinLatch(state_dir, config.name)
        self._turns = Turns(logins or Logins(), self._latch)
        self._log: Log = log or structlog.stdlib.get_logger().bind(hsm=config.name)
        self._clock = clock
        self._timing = timing or Timing()
        self._one_shot = one_shot
        self._limits = Limits(
            call=config.call_timeout_seconds,
            start=config.start_timeout_seconds,
            end=self._timing.reap,
            call_floor=self._timing.call_floor,
        )
        self._backoff = Backoff(self._timing.backoff_first, self._timing.backoff_most)
        self._rate = Rate()
        self._state = SourceState.STOPPED
        self._ring: Ring | None = None
        self._generation: Generation | None = None
        self._unreaped: list[SourceProcess] = []
        self._task: asyncio.Task[object] | None = None
        self._stopping = False
        self._keeps_reserve = False
        self._starts = 0
        self._ever_published = False
        self._last_error = ""
        self._token = ""
        self._slowest_call_seconds = 0.0
        self._usable_slots = config.n_slots
        self._errors = 0  # of generations that ended
        self._failures: Counter[str] = Counter()

    # ---- what it shows --------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether it publishes, so its output tests have passed."""
        return self._state is SourceState.RUNNING

    @property
    def capacity_bytes(self) -> int:
        """Raw bytes that the ring holds when it is full."""
        generation = self._generation
        if generation is not None and generation.usable_slots:
            self._usable_slots = generation.usable_slots
        return self._usable_slots * SLOT_RAW_BYTES

    @property
    def most_bytes(self) -> int:
        """Raw bytes that can be had at once, however long nobody takes any."""
        most = self.capacity_bytes
        return most if self._cap is None else min(most, int(self._cap.bytes_at_once))

    @property
    def bytes_per_second(self) -> float:
        """Raw bytes that it adds while there is space, and that its cap lets through."""
        rate = self._rate.bytes_per_second
        return rate if self._cap is None else min(rate, self._cap.bytes_per_second)

    def status(self) -> SourceStatus:
        """Say how it is."""
        generation = self._generation
        process = generation.process if generation is not None else None
        errors, failures = self._errors, self._failures
        slowest_call_seconds = self._slowest_call_seconds
        if generation is not None:
            slowest_call_seconds = generation.watch.slowest_call_seconds
        if self._ring is not None:
            view = self._ring.observe()
            errors, failures = errors + view.errors, failures + _failures(view)
        return SourceStatus(
            name=self.name,
            state=self._state,
            is_soft_token=self.is_soft_token,
            bytes_per_second=self._rate.bytes_per_second,
            reserve_bytes=self.supply.available_bytes,
            capacity_bytes=self.capacity_bytes,
            restarts=max(0, self._starts - 1),
            errors=errors,
            test_failures=dict(failures),
            slowest_call_seconds=slowest_call_seconds,
            last_error=self._last_error,
            pid=process.pid if process is not None else None,
            token=self._token,
        )

    # ---- its life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep it going until cancelled or stopped; raises SourceError when that is of no use.

        What was published before a SourceError stays to be had until close().
        """
        self._task = asyncio.current_task()
        try:
            await self._run()
        except asyncio.CancelledError:
            if not self._keeps_reserve:
                self.close()
            if not self._stopping:
                raise
        except SourceError as error:
            refused = isinstance(error, SourceRefused)
            self._state = SourceState.LATCHED_PIN if refused else SourceState.STOPPED
            self._last_error = str(error)
            raise
        except BaseException:
            self.close()
            raise
        finally:
            self._task = None

    async def stop(self) -> None:
        """End the process and let go of the ring; what is in it is purged."""
        await self._end()
        self.close()

    async def retire(self) -> None:
        """End the process for good; what it published stays to be had until close()."""
        self._keeps_reserve = True
        await self._end()

    async def _end(self) -> None:
        task = self._task
        if task is not None:
            self._stopping = True
            task.cancel()
            await asyncio.wait({task})
            self._stopping = False

    def close(self) -> None:
        """Let go of the ring, once run() has ended; what is in it is purged. May be repeated."""
        if self._ring is not None:
            self._ring = None
            self.supply.purge()
            self.supply.detach()
        self._unreaped = [process for process in self._unreaped if not process.reap()]
        if self._state is not SourceState.LATCHED_PIN:
            self._state = SourceState.STOPPED

    async def _run(self) -> None:
        if self.is_soft_token and not self._config.allow_soft_token:
            raise SourceMisconfigured(
                f"hsm.{self.name}: the soft token is not an HSM: "
                "name a module, or set allow_soft_token = true for a rehearsal"
            )
        while True:
            self._check_pin()
            self._state = SourceState.STARTING
            self._unreaped = [process for process in self._unreaped if not process.reap()]
            try:
                ring = self._ring or self._attach()
            except (NativeError, OSError) as error:
                ending, published = Ending(Cause.MISCONFIGURED, line_for(error)), False
            else:
                ending, published = await self._run_generation(ring)
            self._last_error = ending.reason
            await self._after(ending, published=published)

    async def _run_generation(self, ring: Ring) -> tuple[Ending, bool]:
        self._starts += 1
        watch = HangWatch(self._limits, self._timing.tick, self._slowest_call_seconds)
        generation = self._generation = Generation(
            self._config,
            ring,
            self.supply,
            watch=watch,
            rate=self._rate,
            timing=self._timing,
            clock=self._clock,
            log=self._log,
            turns=self._turns,
            on_published=self._published,
            on_works=self._works,
        )
        try:
            await generation.run()
        finally:
            self._generation = None
            self._slowest_call_seconds = watch.slowest_call_seconds
            if generation.last_view is not None:
                self._errors += generation.last_view.errors
                self._failures += _failures(generation.last_view)
            if generation.process is not None and not generation.reaped:
                # It may still write into this ring one day; what was taken from it stays valid.
                self._unreaped.append(generation.process)
                self._ring = None
                self.supply.detach()
        return generation.ending, generation.published

    async def _after(self, ending: Ending, *, published: bool) -> None:
        """Wait as long as this end makes advisable; SourceError when nothing is left to do."""
        line = f"hsm.{self.name}: {ending.reason}"
        if ending.cause is Cause.REFUSED:
            self._latch.check()
        if ending.cause is Cause.MISCONFIGURED and not self._ever_published:
            raise SourceMisconfigured(line)
        if self._one_shot and (ending.cause is Cause.HEALTH or not published):
            raise SourceFailed(line)
        if ending.cause is Cause.HEALTH:
            self._state = SourceState.LATCHED_HEALTH
            self._log.error("source latched until somebody starts it anew", reason=ending.reason)
            await asyncio.Event().wait()
        self._state = SourceState.BACKOFF
        seconds = self._backoff.wait_seconds()
        self._log.warning("source ended", reason=ending.reason, again_in_seconds=round(seconds, 1))
        await asyncio.sleep(seconds)

    def _check_pin(self) -> None:
        """Raise SourceRefused if the PIN was refused before, be it to another source."""
        pin_path = self._config.pin_path()
        if pin_path is None:
            return
        if not self._starts and not self._turns.know(pin_path):
            self._latch.check()
        elif not self._starts or self._latch.concerns(pin_path):
            # One that was to take this one's place may have had another file, and this one is well.
            self._latch.check_refusal()

    def _attach(self) -> Ring:
        config = self._config
        ring = Ring.create(config.n_slots, config.sessions, allow_unlocked=config.allow_unlocked)
        self.supply.attach(ring, asyncio.get_running_loop())
        self._ring = ring
        return ring

    def _published(self) -> None:
        """Note that bytes of this generation have arrived."""
        self._ever_published = True
        self._backoff.reset()

    def _works(self) -> None:
        """Note that the source publishes, or would if there were space."""
        self._state = SourceState.RUNNING
        self._last_error = ""
        if self._generation is not None:
            self._token = self._generation.token
        self._log.info("source runs", token=self._token)


def _failures(view: RingView) -> Counter[str]:
    return Counter(view.failures)


def _is_soft_token(module: Path) -> bool:
    try:
        return module.samefile(softtoken_path())
    except OSError:
        return False
