"""What goes wrong, when and for whom: rules that tests and scenarios change while the twin runs.

A rule matches a request by operation and host, then its own seeded dice decide. Rules that only
slow a request down, or change the world before it, add up; of those that decide its outcome, the
first that strikes is taken. Rules about TLS match new connections instead, the admin's among them.
"""

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bridge.twin.clock import MOST_JUMP_SECONDS
from bridge.twin.failure import TwinError


class Operation(StrEnum):
    """What a request asks for, the same on every face of the twin."""

    LOGIN = "session.create"
    SESSION_GET = "session.get"
    LOGOUT = "session.delete"
    HOST_LIST = "host.list"
    CLUSTER_LIST = "cluster.list"
    FOLDER_LIST = "folder.list"
    DATACENTER_LIST = "datacenter.list"
    POOL_GET = "pool.get"
    POOL_ADD = "pool.add"


class FaultKind(StrEnum):
    """The ways in which a request can go wrong."""

    DELAY = "delay"  # wait delay_seconds before the body is read
    SLOW_READ = "slow_read"  # read the body at bytes_per_second
    SLOW_REPLY = "slow_reply"  # send the reply at bytes_per_second
    STALL = "stall"  # read the body, never answer
    RESET_BEFORE_BODY = "reset_before_body"
    RESET_MID_BODY = "reset_mid_body"  # reset once after_bytes of the body were read
    RESET_AFTER_BODY = "reset_after_body"  # the host did not get the bytes
    LOSE_REPLY = "lose_reply"  # the host got the bytes, the client gets a reset
    EARLY_REPLY = "early_reply"  # answer status, read nothing for delay_seconds, stay open
    EXPIRE_SESSIONS = "expire_sessions"  # end all sessions, then go on
    VANISH = "vanish"  # take the host out of the inventory, then go on
    JUMP_TIME = "jump_time"  # move the twin's time forward by jump_seconds, then go on
    UNAUTHENTICATED = "unauthenticated"  # 401
    FORBIDDEN = "forbidden"  # 403
    NOT_FOUND = "not_found"  # 404
    TOO_LARGE = "too_large"  # 413
    THROTTLED = "throttled"  # 429 with Retry-After
    ERROR = "error"  # 500
    UNAVAILABLE = "unavailable"  # 503
    REDIRECT = "redirect"  # 307 to location
    PROXY_ERROR = "proxy_error"  # status with a text of the proxy in front
    WRONG_CONTENT_TYPE = "wrong_content_type"  # the right reply, called text/html
    NOT_JSON = "not_json"  # 200 with a body that is called JSON and is none
    WRONG_SHAPE = "wrong_shape"  # 200 with JSON of another shape
    HUGE_REPLY = "huge_reply"  # 200 with size_bytes of JSON
    TRUNCATED_REPLY = "truncated_reply"  # the reply breaks off in the middle
    TLS_REFUSED = "tls_refused"  # closed while shaking hands, as an Envoy does that has too many
    TLS_EXPIRED = "tls_expired"  # the certificate is of yesterday
    TLS_OTHER_NAME = "tls_other_name"  # it is for another server
    TLS_OTHER_CA = "tls_other_ca"  # nobody knows who issued it


MODIFIERS = frozenset(
    {
        FaultKind.DELAY,
        FaultKind.SLOW_READ,
        FaultKind.SLOW_REPLY,
        FaultKind.EXPIRE_SESSIONS,
        FaultKind.VANISH,
        FaultKind.JUMP_TIME,
    }
)
TLS_KINDS = frozenset(
    {
        FaultKind.TLS_REFUSED,
        FaultKind.TLS_EXPIRED,
        FaultKind.TLS_OTHER_NAME,
        FaultKind.TLS_OTHER_CA,
    }
)


class FaultRule(BaseModel):
    """One way to go wrong. Empty operations or hosts, by id or name, stand for all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    operations: frozenset[Operation] = frozenset()
    hosts: frozenset[str] = frozenset()
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    skip: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1)] | None = None
    after_seconds: Annotated[float, Field(ge=0)] = 0.0
    for_seconds: Annotated[float, Field(gt=0)] | None = None
    delay_seconds: Annotated[float, Field(ge=0)] = 1.0
    jump_seconds: Annotated[float, Field(ge=0, le=MOST_JUMP_SECONDS)] = 3600.0
    status: Annotated[int, Field(ge=200, le=599)] = 503
    retry_after: Annotated[str, Field(pattern=r"^[ -~]*$")] | None = "1"
    bytes_per_second: Annotated[int, Field(ge=1)] = 65_536
    after_bytes: Annotated[int, Field(ge=0)] = 16_384
    size_bytes: Annotated[int, Field(ge=2)] = 8 * 1024 * 1024
    location: Annotated[str, Field(pattern=r"^[!-~]*$")] = "/api/elsewhere"

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.kind not in TLS_KINDS:
            return self
        if self.operations or self.hosts:
            raise ValueError(f"{self.kind} is of connections, without operations and hosts")
        if self.count is None and self.for_seconds is None:
            raise ValueError(f"{self.kind} needs count or for_seconds: nobody could lift it")
        return self


RULES: TypeAdapter[list[FaultRule]] = TypeAdapter(list[FaultRule])


class ArmedRule:
    """A rule in force, with its dice and what it has done so far."""

    def __init__(self, rule: FaultRule, now: float) -> None:
        self.rule = rule
        self.matched = 0
        self.struck = 0
        self._dice = random.Random(rule.seed)  # noqa: S311
        self._from = now + rule.after_seconds
        self._until = None if rule.for_seconds is None else self._from + rule.for_seconds

    def strikes(
        self, operation: Operation, host: str | None, now: float, name: str | None = None
    ) -> bool:
        """Return whether this request is hit, and count it; `host` is the id of its host."""
        rule = self.rule
        if rule.kind in TLS_KINDS:
            return False
        if rule.operations and operation not in rule.operations:
            return False
        if rule.hosts and rule.hosts.isdisjoint((host, name)):
            return False
        return self._hits(now)

    def strikes_connection(self, now: float) -> bool:
        """Return whether this new connection is hit, and count it."""
        return self.rule.kind in TLS_KINDS and self._hits(now)

    def _hits(self, now: float) -> bool:
        rule = self.rule
        if now < self._from or (self._until is not None and now >= self._until):
            return False
        self.matched += 1
        if self.matched <= rule.skip or self.struck == rule.count:
            return False
        if rule.probability < 1 and self._dice.random() >= rule.probability:
            return False
        self.struck += 1
        return True


class FaultPlan:
    """The rules in force, in their order."""

    def __init__(self) -> None:
        self.armed: list[ArmedRule] = []

    def set(self, rules: Sequence[FaultRule], now: float) -> None:
        """Let exactly these rules be in force from now on."""
        self.armed = [ArmedRule(rule, now) for rule in rules]

    def add(self, rules: Sequence[FaultRule], now: float) -> None:
        """Put rules behind those in force."""
        self.armed.extend(ArmedRule(rule, now) for rule in rules)

    def strike(
        self, operation: Operation, host: str | None, now: float, name: str | None = None
    ) -> tuple[FaultRule, ...]:
        """Return what goes wrong with a request: any number of delays and at most one outcome."""
        if not self.armed:
            return ()
        struck: list[FaultRule] = []
        decided = False
        for armed in self.armed:
            modifier = armed.rule.kind in MODIFIERS
            if decided and not modifier:
                continue
            if armed.strikes(operation, host, now, name):
                struck.append(armed.rule)
                decided |= not modifier
        return tuple(struck)

    def strike_connection(self, now: float) -> FaultKind | None:
        """Return what goes wrong with the TLS of a new connection."""
        for armed in self.armed:
            if armed.strikes_connection(now):
                return armed.rule.kind
        return None


def read_rules(data: bytes) -> list[FaultRule]:
    """Return the rules of a JSON array, or say in one line what is wrong with it."""
    try:
        return RULES.validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(it) for it in first["loc"]) or "the document"
        what = first["msg"].removeprefix("Value error, ")
        if first["type"] == "list_type" and not first["loc"]:
            what = 'should be a list, as in [{"kind": "unavailable", "count": 1}]'
        raise TwinError(f"bad fault rule: {where}: {what}") from error
