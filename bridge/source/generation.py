# SPDX-License-Identifier: Apache-2.0
"""One source process on a ring, from its start to the account of what it left behind."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.native.ring import Phase
from bridge.source.ending import Cause, Ending, judge
from bridge.source.logins import NO_TURN, token_named
from bridge.source.order import PUBLISH_AFTER_MS, Order
from bridge.source.process import SourceProcess, child_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config import HsmConfig
    from bridge.native.ring import Ring, RingView
    from bridge.source.hang import HangWatch
    from bridge.source.log import Log
    from bridge.source.logins import Turns
    from bridge.source.status import Rate
    from bridge.source.supply import Supply

CHATTER_LINES_MAX = 200  # of one process, into the log


@dataclass(frozen=True, slots=True)
class Timing:
    """The supervisor's own times, in seconds."""

    tick: float = 0.25
    call_floor: float = 10.0  # a call younger than this is never hung
    grace: float = 3.0  # from being asked to end to being killed
    grace_login: float = 7.0  # more in the middle of a login: to kill it counts as a refused PIN
    reap: float = 5.0  # from being killed to being abandoned
    backoff_first: float = 0.5
    backoff_most: float = 10.0


class Generation:
    """Run once. `ending` and `reaped` are valid afterwards, also when it was cancelled."""

    def __init__(
        self,
        config: HsmConfig,
        ring: Ring,
        supply: Supply,
        *,
        watch: HangWatch,
        rate: Rate,
        timing: Timing,
        clock: Callable[[], float],
        log: Log,
        turns: Turns,
        on_published: Callable[[], None],
        on_works: Callable[[], None],
    ) -> None:
        self.ending = Ending(Cause.FAILED, "the source was not started")
        self.reaped = True
        self.process: SourceProcess | None = None
        self.last_view: RingView | None = None
        self.published = False  # it has; so its output tests have passed
        self.works = False
        self.usable_slots = 0  # of the readers that there are; 0 while that is not known
        self.watch = watch
        self._config = config
        self._ring = ring
        self._supply = supply
        self._rate = rate
        self._timing = timing
        self._clock = clock
        self._log = log
        self._turns = turns
        self._on_published = on_published
        self._on_works = on_works
        self._chatter_lines = 0

    @property
    def token(self) -> str:
        """Label, serial and model, as soon as they are known."""
        if self.process is None:
            return ""
        words = (self.process.answers.get(key) for key in ("label", "serial", "model"))
        return ", ".join(str(word) for word in words if word)

    async def run(self) -> None:
        """Start the process and stay with it to its end; when cancelled, end it."""
        self._supply.begin_generation()
        try:
            process = self.process = self._start()
        except OSError as error:
            self.ending = Ending(Cause.FAILED, f"no process can be started: {error.strerror}")
            return
        self._log.info("source started", pid=process.pid)
        try:
            await self._stay(process)
        except BaseException:
            await self._end(process)
            raise
        finally:
            self._settle(process)

    def _start(self) -> SourceProcess:
        config, ring = self._config, self._ring
        pin_path = config.pin_path()
        order = Order(
            parent_pid=os.getpid(),
            module=str(config.module),
            init_args=config.init_args,
            token_label=config.token_label,
            serial=config.serial,
            slot=config.slot,
            pin_path=None if pin_path is None else str(pin_path),
            ring_fd=ring.fd,
            n_slots=config.n_slots,
            n_readers=config.sessions,
            data_eventfd=ring.data_eventfd,
            space_eventfds=tuple(ring.space_eventfds),
            call_bytes=config.call_bytes or 0,
            publish_after_ms=PUBLISH_AFTER_MS,
            allow_unlocked=config.allow_unlocked,
        )
        return SourceProcess(
            "bridge.source.child",
            order.line(),
            child_environment(config.env),
            order.descriptors,
            self._chatter,
        )

    async def _stay(self, process: SourceProcess) -> None:
        """Look once per tick, until it has ended, or was killed and may not end."""
        before, published = self._clock(), self._supply.published_bytes
        while not await process.rested(self._timing.tick):
            self._supply.check()
            view = self._ring.observe()
            now, arrived = self._clock(), self._supply.published_bytes
            full = self._is_full(view)
            if view.phase in (Phase.OPENING, Phase.RUNNING):
                self._turns.succeeded()
            reason = self.watch.tick(view, has_space=not full, waits=process.wants_login)
            if reason is not None and process.wants_login:
                reason = NO_TURN
            if self._supply.halted and not self._may_log_in(view):
                reason = "has to make way, for the machine was suspended"
            if reason is None and process.wants_login:
                self._look_for_login(process)  # not of one that is killed: it might just log in
            self._rate.sample(arrived - published, now - before, full=full)
            before, published = now, arrived
            if view.phase == Phase.RUNNING:
                process.hear()
                self._look_for_bytes()
                self._look_for_work(full=full)
            if reason is not None:
                process.kill(reason)
                await process.reaped(self._timing.reap)
                return

    def _look_for_login(self, process: SourceProcess) -> None:
        """Let the process log in when it is its turn."""
        token = token_named(process.answers, self._config.module)
        pin_path = self._config.pin_path()
        if pin_path is not None and self._turns.begin(token, pin_path):
            process.let_log_in()

    def _may_log_in(self, view: RingView) -> bool:
        """Tell whether it is in the middle of a login, or about to be."""
        was_let = view.phase == Phase.SELECTING and self._turns.are_under_way
        return was_let or view.phase == Phase.LOGIN

    def _is_full(self, view: RingView) -> bool:
        """Tell whether no reader has a slot left but the one that it fills."""
        # A token or a module with fewer sessions leaves readers, and their slots, without work.
        if n_readers := sum(reader.active for reader in view.readers):
            self.usable_slots = self._config.n_slots * n_readers // self._config.sessions
        return bool(n_readers) and self._supply.held_slots >= self.usable_slots - n_readers

    def _look_for_bytes(self) -> None:
        if not self.published and self._supply.generation_bytes:
            self.published = True
            self._on_published()

    def _look_for_work(self, *, full: bool) -> None:
        # With no space left by its predecessor, it is well, but has nothing to show for it.
        if not self.works and (self.published or full):
            self.works = True
            self._on_works()

    async def _end(self, process: SourceProcess) -> None:
        process.ask_to_end()
        try:
            ended = await process.reaped(self._timing.grace)
            if not ended and self._may_log_in(self._ring.observe()):
                ended = await process.reaped(self._timing.grace_login)
            if not ended:
                process.kill("was asked to end and did not")
                await process.reaped(self._timing.reap)
        except asyncio.CancelledError:
            process.kill("was asked to end")
            process.reap()
            raise

    def _settle(self, process: SourceProcess) -> None:
        view = self.last_view = self._ring.observe()
        self.reaped = process.returncode is not None
        self.ending = judge(
            process.returncode, view, killed_for=process.killed_for, answers=process.answers
        )
        self._look_for_bytes()
        if self.ending.cause is Cause.REFUSED:
            self._turns.refused(self.ending.reason, self._config.pin_path())
        self._turns.ended()
        self._supply.end_generation()
        if self.reaped:
            self._ring.restart()
        process.release()

    def _chatter(self, line: str) -> None:
        self._chatter_lines += 1
        if self._chatter_lines <= CHATTER_LINES_MAX:
            self._log.info("the module prints", line=line)
