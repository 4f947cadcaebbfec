"""A vCenter in virtual time, as a site sees it: late, wrong, deaf, and in touch with its hosts.

A level is that of the moment at which the request was dealt with; the answer is on its way for as
long again, or gets lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import SecretStr

from bridge.vcenter import errors
from bridge.vcenter.errors import SendFate
from bridge.vcenter.types import HostSummary, Levels, Pool, PoolStatus

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.config import HostFilter
    from tests.support.virtual_bridge import VirtualTake
    from tests.support.virtual_fleet import VirtualHost

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a host, or with a vCenter and so with all of its hosts, for a while."""

    kind: str
    start: float
    end: float
    share: float = 1.0
    """Of the requests, so many have it."""
    retry_after_seconds: float | None = None


@dataclass(slots=True)
class Case:
    """One host and what is wrong with it."""

    host: VirtualHost
    troubles: Sequence[Trouble] = ()
    told_watermark: int | None = None
    """What vCenter says of the watermark, if not the truth."""
    fed_at: float = 0.0
    """When it was last brought bytes."""


@dataclass(slots=True)
class Way:
    """The way to a vCenter: how long a request and its answer take, and what gets lost."""

    seconds: float = 0.02
    late_share: float = 0.0
    late_seconds: float = 3.0
    lost_share: float = 0.0

    def trip(self, dice: random.Random) -> float:
        late = dice.random() < self.late_share
        return dice.uniform(0.3, 0.7) * self.seconds + late * dice.uniform(0.0, self.late_seconds)


class Throttler(Protocol):
    """Turns requests away with 429: whatever it finds too much."""

    n_refused: int
    retry_after_seconds: float | None

    def admits(self, now: float) -> bool:
        """Say whether a request that arrives now is dealt with; then `left` follows."""

    def left(self) -> None:
        """Note that a request was dealt with."""


@dataclass(slots=True)
class VirtualVCenter:
    """One vCenter of a scene."""

    name: str
    cases: Sequence[Case]
    troubles: Sequence[Trouble] = ()
    way: Way = field(default_factory=Way)
    settings: dict[str, object] = field(default_factory=dict)
    throttler: Throttler | None = None


class VirtualClient:
    """As much of a vCenter's client as a site uses."""

    password = SecretStr("")

    def __init__(
        self,
        cases: Sequence[Case],
        troubles: Sequence[Trouble],
        way: Way,
        dice: random.Random,
        *,
        timeout_seconds: float,
        throttler: Throttler | None = None,
    ) -> None:
        self.cases = {case.host.key[1]: case for case in cases}
        self.troubles = troubles
        self._way = way
        self._dice = dice
        self._timeout_seconds = timeout_seconds
        self._throttler = throttler
        self._clock = asyncio.get_running_loop().time

    async def open(self) -> None:
        await self._in_time(self._reach(self.troubles))

    async def close(self) -> None:
        pass

    def allow(self, n_requests: int) -> None:
        pass

    async def hosts(self, wanted: HostFilter | None = None) -> list[HostSummary]:
        await self._in_time(self._reach(self.troubles))
        return [HostSummary(name, name, "CONNECTED") for name in self.cases]

    async def clusters(self, wanted: HostFilter | None, at_once: int | None) -> dict[str, str]:
        return {}

    async def pool(self, name: str) -> Pool:
        levels = await self._in_time(self._visit(self.cases[name], 0))
        return Pool(PoolStatus.DISABLED if levels is None else PoolStatus.ENABLED, levels)

    async def add(self, name: str, take: VirtualTake, on_start: Callable[[], None]) -> Levels:
        n_bytes = take.raw_bytes
        self._is_there(self.troubles)
        on_start()
        levels = await self._in_time(self._visit(self.cases[name], n_bytes))
        if levels is None:
            raise errors.HostUnavailable("disabled", fate=SendFate.REFUSED, status=503)
        return levels

    async def _in_time(self, exchange: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await exchange
        except TimeoutError:
            raise errors.TimedOut("no reply in time", fate=SendFate.UNKNOWN) from None

    def _meets(self, troubles: Sequence[Trouble]) -> Trouble | None:
        now = self._clock()
        for trouble in troubles:
            if trouble.start <= now < trouble.end and self._dice.random() < trouble.share:
                return trouble
        return None

    def _is_there(self, troubles: Sequence[Trouble]) -> None:
        trouble = self._meets(troubles)
        if trouble is not None and trouble.kind == "down":
            raise errors.Unreachable("no connection", fate=SendFate.NOT_SENT)

    async def _reach(self, troubles: Sequence[Trouble]) -> None:
        await asyncio.sleep(self._way.trip(self._dice))
        if self._dice.random() < self._way.lost_share / 2.0:
            await asyncio.Event().wait()
        await self._suffer(self._meets(troubles))

    async def _suffer(self, trouble: Trouble | None) -> None:
        """Be answered as in this trouble, if there is any."""
        if trouble is None:
            return
        kind = trouble.kind
        if kind == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(self._way.trip(self._dice))
        again = trouble.retry_after_seconds
        known = {
            "down": errors.Unreachable("down", fate=SendFate.UNKNOWN),
            "reset": errors.Unreachable("reset", fate=SendFate.UNKNOWN),
            "unavailable": errors.HostUnavailable("503", fate=SendFate.REFUSED, status=503),
            "error": errors.ServerError("500", fate=SendFate.REFUSED, status=500),
            "not found": errors.HostNotFound("404", fate=SendFate.REFUSED, status=404),
            "refused": errors.Unauthorized("403", fate=SendFate.REFUSED, status=403),
            "nonsense": errors.ProtocolError("200", fate=SendFate.UNKNOWN, status=200),
            "too large": errors.TooLarge("413", fate=SendFate.REFUSED, status=413),
            "unauthenticated": errors.Unauthenticated("401", fate=SendFate.REFUSED, status=401),
            "throttled": errors.Throttled(
                "429", fate=SendFate.REFUSED, status=429, retry_after_seconds=again
            ),
            "proxy": errors.ServerError(
                "503", fate=SendFate.REFUSED, status=503, retry_after_seconds=again
            ),
        }
        raise known[kind]

    async def _visit(self, case: Case, n_bytes: int) -> Levels | None:
        await self._reach(self.troubles)
        throttler = self._throttler
        if throttler is None:
            return await self._deal(case, n_bytes)
        if not throttler.admits(self._clock()):
            throttler.n_refused += 1
            again = throttler.retry_after_seconds
            await self._suffer(Trouble("throttled", 0.0, 0.0, retry_after_seconds=again))
        try:
            return await self._deal(case, n_bytes)
        finally:
            throttler.left()

    async def _deal(self, case: Case, n_bytes: int) -> Levels | None:
        host, trouble = case.host, self._meets(case.troubles)
        kind = "" if trouble is None else trouble.kind
        if kind == "disabled":
            await asyncio.sleep(self._way.trip(self._dice))
            return None
        if kind == "takes nothing":
            n_bytes = 0
        elif kind.startswith("add ") and trouble is not None:
            if n_bytes:
                word = kind.removeprefix("add ")
                if word == "lose reply":
                    host.visited(self._clock(), n_bytes)
                    case.fed_at = self._clock()
                    await asyncio.Event().wait()
                await self._suffer(replace(trouble, kind=word))
        elif kind == "lose reply":
            host.visited(self._clock(), n_bytes)
            await asyncio.Event().wait()
        else:
            await self._suffer(trouble)
        if n_bytes:
            case.fed_at = self._clock()
        reading = host.visited(self._clock(), n_bytes)
        watermark = host.watermark if case.told_watermark is None else case.told_watermark
        await asyncio.sleep(self._way.trip(self._dice))
        if self._dice.random() < self._way.lost_share / 2.0:
            await asyncio.Event().wait()
        return Levels(reading.capacity_bytes, reading.available_bytes, watermark, int(host.timeout))
