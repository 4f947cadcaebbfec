"""One vCenter: its hosts kept up to date, its requests made, and what each outcome means."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.feed import meaning
from bridge.feed.allowance import Allowance
from bridge.feed.clusters import Clusters
from bridge.feed.concurrency import Gate, Outcome
from bridge.feed.hoststate import NO_ANSWER, Reading
from bridge.feed.patience import Patience
from bridge.feed.roster import Roster
from bridge.feed.rounds import INVENTORY_SECONDS, Rounds
from bridge.feed.standing import SiteState, Standing
from bridge.source.account import Fate
from bridge.source.take import StaleTake
from bridge.vcenter import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    import structlog
    from pydantic import SecretStr

    from bridge.config import HostFilter, VCenterConfig
    from bridge.feed.decision import HostKey
    from bridge.feed.planner import Planner
    from bridge.source.take import Take
    from bridge.vcenter.client import VCenter
    from bridge.vcenter.types import HostSummary, Levels

# When one that turns requests away says a longer time, as a page for maintenance does: it is asked
# again while pools still live, and by the inventory's refresh as often anyway.
_THROTTLED_SECONDS_MAX = 60.0
_REFUSED_SECONDS = 300.0  # SSO locks accounts: a login refused later is tried once in this time


class LoginRefusedAtFirst(Exception):
    """The very first login was refused; the text is one line that says what to do."""


class Site:
    """One vCenter. `run` keeps its inventory; `look` and `feed` are the pusher's requests."""

    def __init__(
        self,
        config: VCenterConfig,
        client: VCenter,
        planner: Planner,
        *,
        clock: Callable[[], float],
        add_seconds: Callable[[float], None],
        log: structlog.stdlib.BoundLogger,
        wake: Callable[[], None],
    ) -> None:
        self.config = config
        self.gate = Gate(config.max_in_flight)
        self._clusters = Clusters(client, clock=clock, at_once=1)
        self.requests: Counter[tuple[str, str]] = Counter()
        self._client = client
        self._planner = planner
        self._clock = clock
        self._add_seconds = add_seconds
        self._log = log.bind(vcenter=config.name)
        self._wake = wake
        self._roster = Roster(config.name, planner, self._log)
        self._standing = Standing(clock=clock, log=self._log)
        self._patience = Patience()
        self._allowance = Allowance(config, planner, clock=clock, log=self._log)
        self._rounds = Rounds()
        self._idle = asyncio.Event()

    @property
    def state(self) -> SiteState:
        """What is known of the vCenter."""
        return self._standing.state

    @property
    def names(self) -> Mapping[str, str]:
        """What its hosts are called, by their ids."""
        return self._roster.names

    @property
    def clusters(self) -> Mapping[str, str]:
        """What the clusters of its hosts are called, by the host's id, as far as that is known."""
        return self._clusters.names

    @property
    def lists_hosts(self) -> bool:
        """Whether it listed its hosts when it was last asked for them."""
        return self._standing.lists_hosts

    @property
    def last_error(self) -> str:
        """Why it cannot be used, or does not list its hosts; empty when it can, and does."""
        return self._standing.last_error

    @property
    def max_add_bytes(self) -> int:
        """The most that one request may carry: under a cap no more than a second's worth."""
        return self._allowance.max_add_bytes

    def is_open(self, now: float) -> bool:
        """Whether a request may begin: neither gate nor cap is in the way."""
        return self.gate.is_open(now) and self._allowance.is_open()

    def opens_at(self) -> float | None:
        """When a pause or a debt ends; None while the gate is full."""
        gate = self.gate.opens_at()
        return None if gate is None else max(gate, self._allowance.opens_at())

    async def run(self) -> None:
        """Refresh the inventory for ever; LoginRefusedAtFirst when the first login is refused."""
        await self._rounds.run(self._refresh)

    async def _refresh(self) -> float:
        """Look at the inventory; returns after how many seconds to do so again."""
        wanted = self.config.hosts
        has_session = False
        self._rounds.asked(self._clock())
        try:
            await self._client.open()
            has_session = True
            hosts = await self._client.hosts(wanted)
        except errors.LoginRefused as error:
            if self.state is SiteState.CONNECTING:
                self._standing.refused(error)
                raise LoginRefusedAtFirst(str(error)) from None
            return self._refused(error)
        except errors.VCenterError as error:
            answers = has_session and meaning.load(error) is not Outcome.LOST
            return self._standing.unlisted(error, answers=answers)
        self._standing.listed(self.gate.limit)
        if wanted is self.config.hosts:  # or what was asked for is no longer wanted
            self._take_inventory(hosts)
        await self._clusters.refresh(self.names, self.config.hosts)
        return INVENTORY_SECONDS

    def change(self, config: VCenterConfig, hosts: list[HostSummary] | None = None) -> None:
        """Go by other limits and another filter, in the same session.

        `hosts` is what the filter means now, if that is known already.
        """
        self.config = config
        self._allowance.change(config, self._clock())
        self.gate.change(config.max_in_flight)
        self._client.allow(config.max_in_flight)
        if hosts is not None:
            self._take_inventory(hosts)
        self.refresh()
        self._wake()

    def refresh(self) -> None:
        """Look at the inventory now rather than within a minute."""
        self._rounds.hurry()

    def use_password(self, password: SecretStr) -> None:
        """Log in with this from now on; a session that there is stays."""
        if self._client.password != password:
            self._client.use_password(password)
            self.gate.resume()
            self.refresh()
            self._wake()

    @property
    def password(self) -> SecretStr:
        """What it logs in with."""
        return self._client.password

    async def hosts(self, wanted: HostFilter) -> list[HostSummary]:
        """List the hosts that another filter would mean; raises VCenterError."""
        return await self._client.hosts(wanted)

    async def greet(self) -> None:
        """Log in and list the hosts, before anything is fed; raises VCenterError."""
        await self._client.open()
        await self._client.hosts(self.config.hosts)

    def leave(self) -> None:
        """Have nothing of it fed any more; requests under way go on, and `run` is to be ended."""
        self._roster.clear()

    async def idle(self) -> None:
        """Wait until no request is under way, for as long as one may last."""
        self._idle.clear()
        if self.gate.in_flight:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.config.request_timeout_seconds + 1.0):
                    await self._idle.wait()

    async def close(self) -> None:
        """Log out and close all connections, within seconds."""
        await self._client.close()

    def look(self, key: HostKey) -> Coroutine[None, None, None]:
        """Read one host's pool and tell the planner; counts in the gate from this moment on."""
        self.gate.begun()
        return self._look(key)

    def feed(self, key: HostKey, take: Take) -> Coroutine[None, None, None]:
        """Send a take to one host, settle the take, and tell the planner; counts from now on."""
        self.gate.begun()
        self._allowance.begun(take.raw_bytes, self._clock())
        return self._feed(key, take)

    async def _look(self, key: HostKey) -> None:
        started = self._clock()
        failure: errors.VCenterError | None = None
        pool = None
        try:
            pool = await self._client.pool(key[1])
        except errors.VCenterError as error:
            failure = error
        finally:
            now = self._clock()
            if pool is None:
                self._failed("look", key, 0, failure, now - started)
            elif pool.levels is None:
                self._ended("look", "disabled", Outcome.GOOD, now - started)
                self._planner.absent(key, "disabled", now)
            else:
                self._ended("look", "ok", Outcome.GOOD, now - started)
                self._planner.observed(key, _reading(pool.levels), now)

    async def _feed(self, key: HostKey, take: Take) -> None:
        started = self._clock()
        n_bytes = take.raw_bytes
        failure: errors.VCenterError | None = None
        levels = None
        try:
            levels = await self._client.add(key[1], take.pieces, take.spend)
        except errors.VCenterError as error:
            failure = error
        except StaleTake:
            pass  # purged before they were sent: the host gets others
        finally:
            now = self._clock()
            if levels is not None:
                take.done(Fate.DELIVERED)
                self._allowance.accepted(n_bytes, now)
                self._ended("add", "ok", Outcome.GOOD, now - started)
                self._planner.observed(key, _reading(levels), now)
            elif not take.spent:
                self._allowance.unsent(n_bytes)
                take.give_back()
                self._failed("add", key, 0, failure, now - started)
            else:
                refused = failure is not None and failure.fate is errors.SendFate.REFUSED
                take.done(Fate.REFUSED if refused else Fate.UNKNOWN)
                self._failed("add", key, n_bytes, failure, now - started)

    def _ended(self, operation: str, outcome: str, load: Outcome, seconds: float) -> None:
        now = self._clock()
        # only looks are alike enough for their times to be compared
        self.gate.ended(now, load, seconds if operation == "look" else None)
        self.requests[operation, outcome] += 1
        if not self.gate.in_flight:
            self._idle.set()
        if operation == "add":
            self._add_seconds(seconds)
        if load not in (Outcome.LOST, Outcome.NONE):
            self._standing.answered()
            if load is not Outcome.THROTTLED:
                self._patience.taken(now - seconds)
        if load is Outcome.GOOD and self.state is SiteState.DOWN:
            self._standing.reached(self.gate.limit)

    def _failed(
        self,
        operation: str,
        key: HostKey,
        n_spent_bytes: int,
        error: errors.VCenterError | None,
        seconds: float,
    ) -> None:
        """Tell gate and planner of a request without a good answer; None: cancelled, called off."""
        now = self._clock()
        self._ended(operation, meaning.snake(error), self._load(error, now - seconds, now), seconds)
        self._log.debug("request failed", host=key[1], operation=operation, error=str(error))
        if isinstance(error, errors.TooLarge) and n_spent_bytes:
            self._allowance.refused(n_spent_bytes, now)
        if isinstance(error, errors.HostNotFound):
            self._rounds.missed(now)
        reason = meaning.absence(error)
        if reason is not None:
            self._planner.absent(key, reason, now)
        elif n_spent_bytes and meaning.host_may_have_them(error):
            self._planner.uncertain(key, n_spent_bytes, now)
        elif isinstance(error, errors.TimedOut) and self.state is SiteState.UP:
            self._planner.absent(key, NO_ANSWER, now)
        elif isinstance(error, errors.ProtocolError):
            self._planner.absent(key, "no sensible answer", now)
        else:
            self._planner.released(key, now, n_spent_bytes)

    def _load(self, error: errors.VCenterError | None, began_at: float, now: float) -> Outcome:
        """Say what a failure tells of the vCenter's load; begin a pause where it asks for one."""
        load = meaning.load(error)
        if isinstance(error, errors.LoginRefused):
            self._refused(error)
        elif error is not None and load is Outcome.THROTTLED:
            seconds = error.retry_after_seconds or self._patience.turned_away(began_at, now)
            self.gate.pause(now + min(seconds, _THROTTLED_SECONDS_MAX))
            self._planner.doubt(self.config.name, now)
        elif error is not None and load is Outcome.LOST:
            pause = self._standing.lost(error, began_at, self.gate.in_flight)
            if pause:
                self.gate.pause(now + pause)
                self.gate.deserted(now)
                self._planner.doubt(self.config.name, now)
        return load

    def _refused(self, error: errors.LoginRefused) -> float:
        """Note a refused login; returns in how many seconds the next is made."""
        seconds = error.retry_after_seconds or _REFUSED_SECONDS
        self.gate.pause(self._clock() + seconds)
        self._standing.down(error)
        return seconds

    def _take_inventory(self, hosts: list[HostSummary]) -> None:
        is_new = self._roster.take(hosts, self._clock())
        self._rounds.taken(is_new=is_new)
        if is_new:
            self._wake()


def _reading(levels: Levels) -> Reading:
    return Reading(
        levels.capacity_bytes,
        levels.available_bytes,
        levels.low_watermark_bytes,
        levels.inactive_source_timeout_seconds,
    )
