"""The external entropy pool of a host: what it holds, and adding to it."""

from urllib.parse import quote

from bridge.vcenter.body import EntropyBody
from bridge.vcenter.diagnosis import Call, Target, doing
from bridge.vcenter.errors import ProtocolError, SendFate
from bridge.vcenter.headers import Address
from bridge.vcenter.replies import MalformedError, Reply
from bridge.vcenter.session import Session
from bridge.vcenter.types import Levels, Pool, PoolStatus
from bridge.vcenter.wire import Wire

# ESXi's own defaults, for where a reply leaves a field out
DEFAULT_LOW_WATERMARK_PERCENT = 20
DEFAULT_TIMEOUT_SECONDS = 60

POOL_BYTES_MAX = 1 << 40
TIMEOUT_SECONDS_MAX = 1 << 31


class ExternalPools:
    """The pools of all hosts of one vCenter."""

    def __init__(self, wire: Wire, session: Session) -> None:
        self._wire = wire
        self._target = wire.target
        self._session = session
        self._known: dict[str, tuple[Address, Address]] = {}

    async def get(self, host: str) -> Pool:
        """Read a host's pool; this also tells the host that its source is alive."""
        reply = await self._session.get(Call.POOL, self._addresses(host)[0], host=host)
        try:
            return pool_from(reply.json())
        except MalformedError as error:
            problem = str(error)
        raise _nonsense(
            self._target, Call.POOL, host, reply, problem=problem, fate=SendFate.NOT_SENT
        )

    async def add(self, host: str, body: EntropyBody) -> Levels:
        """Send entropy; the body has dropped it when this has ended."""
        try:
            reply = await self._session.add(self._addresses(host)[1], body, host=host)
        finally:
            body.drop()
        try:
            return levels_from(reply.json())
        except MalformedError as error:
            problem = str(error)
        raise _nonsense(self._target, Call.ADD, host, reply, problem=problem, fate=SendFate.UNKNOWN)

    def _addresses(self, host: str) -> tuple[Address, Address]:
        found = self._known.get(host)
        if found is None:
            path = f"/api/vcenter/host/{quote(host, safe='')}/entropy/external-pool"
            found = self._wire.address(path), self._wire.address(path, "action=add")
            self._known[host] = found
        return found


def pool_from(value: object) -> Pool:
    """Read the Info of a pool; raises MalformedError."""
    if not isinstance(value, dict):
        raise MalformedError("it is not an object")
    status = value.get("status")
    if status not in tuple(PoolStatus):
        raise MalformedError("status is neither ENABLED nor DISABLED")
    if status == PoolStatus.DISABLED:
        return Pool(PoolStatus.DISABLED, None)
    return Pool(PoolStatus.ENABLED, levels_from(value))


def levels_from(value: object) -> Levels:
    """Read the levels that Info and AddResult have in common; raises MalformedError."""
    if not isinstance(value, dict):
        raise MalformedError("it is not an object")
    return _usual_levels(value) or _unusual_levels(value)


def _usual_levels(value: dict[str, object]) -> Levels | None:
    """Read what nearly every reply is: all there, and in order."""
    capacity = value.get("capacity")
    available = value.get("currently_available")
    watermark = value.get("low_watermark")
    timeout = value.get("inactive_source_timeout")
    if (
        type(capacity) is int  # and not bool, which is an int
        and type(available) is int
        and type(watermark) is int
        and type(timeout) is int
        and 0 <= available <= capacity <= POOL_BYTES_MAX
        and 0 <= watermark <= capacity
        and 0 <= timeout <= TIMEOUT_SECONDS_MAX
    ):
        return Levels(capacity, available, watermark, timeout)
    return None


def _unusual_levels(value: dict[str, object]) -> Levels:
    capacity = _number(value, "capacity", POOL_BYTES_MAX)
    available = _number(value, "currently_available", POOL_BYTES_MAX)
    if capacity is None or available is None:
        raise MalformedError("capacity or currently_available is missing")
    watermark = _number(value, "low_watermark", POOL_BYTES_MAX)
    timeout = _number(value, "inactive_source_timeout", TIMEOUT_SECONDS_MAX)
    # the interface says bytes, VMware's guide says bits; more than fits cannot be bytes
    bits = watermark is not None and watermark > capacity
    if watermark is None:
        watermark = capacity * DEFAULT_LOW_WATERMARK_PERCENT // 100
    return Levels(
        capacity_bytes=capacity,
        available_bytes=available,
        low_watermark_bytes=watermark // 8 if bits else watermark,
        inactive_source_timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout,
        low_watermark_was_bits=bits,
    )


def _number(value: dict[str, object], key: str, largest: int) -> int | None:
    number = value.get(key)
    if type(number) is int and 0 <= number <= largest:  # and not bool, which is an int
        return number
    if number is not None:
        raise MalformedError(f"{key} is not a number that it can be")
    return None


def _nonsense(
    target: Target, call: Call, host: str, reply: Reply, *, problem: str, fate: SendFate
) -> ProtocolError:
    what = f"cannot {doing(call, host)}: the reply makes no sense: {problem}"
    return ProtocolError(target.says(what), fate=fate, status=reply.status)
