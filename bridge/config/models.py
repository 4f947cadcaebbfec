"""The configuration: frozen models of what the TOML file says. No secret is ever kept in them."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bridge.config.errors import ConfigError, Problem
from bridge.config.secrets import Warn, credential_path, read_secret
from bridge.config.values import (
    GIB,
    KIB,
    MIB,
    Address,
    CredentialName,
    FilePath,
    Name,
    Names,
    Size,
    Text,
    Url,
    size_text,
    split_address,
)

SLOT_TEXT_BYTES = 16 * KIB  # of the ring; native/include/bn.h says the same
SLOTS_PER_SESSION_MIN = 8
CALL_BYTES_MIN = 32  # as native/include/bn.h has it

Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Rate = Annotated[int, Size(KIB, 1024 * GIB)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class HsmConfig(_Table):
    """One token: which module, which token in it, and how hard to read from it."""

    name: Name = Field(description="the table's key")
    module: FilePath = Field(description="the vendor's PKCS#11 library")
    token_label: Annotated[Text, Field(max_length=32)] | None = None
    serial: Annotated[Text, Field(max_length=16)] | None = None
    slot: Annotated[int, Field(ge=0, lt=2**64)] | None = None
    pin_credential: CredentialName | None = Field(
        default=None,
        description="a file in $CREDENTIALS_DIRECTORY; neither this nor pin_file: no login",
    )
    pin_file: FilePath | None = None
    sessions: Annotated[int, Field(ge=1, le=64)] = Field(default=2, description="reader threads")
    reserve: Annotated[int, Size(SLOT_TEXT_BYTES, GIB)] = Field(
        default=2 * MIB, description="size of the ring, in locked memory"
    )
    env: dict[str, str] = Field(
        default_factory=dict, repr=False, description="environment for the module"
    )
    init_args: Text | None = Field(
        default=None, repr=False, description="a string for C_Initialize, for modules that want one"
    )
    allow_soft_token: bool = False
    allow_unlocked: bool = Field(default=False, description="go on where memory cannot be locked")
    call_bytes: Annotated[int, Size(CALL_BYTES_MIN, MIB)] | None = Field(
        default=None, description="bytes per C_GenerateRandom; found while running when left out"
    )
    call_timeout_seconds: Seconds = 60.0
    start_timeout_seconds: Seconds = Field(
        default=60.0, description="for C_Initialize and C_Login each"
    )
    max_bytes_per_second: Rate | None = None

    @field_validator("env")
    @classmethod
    def _env(cls, env: dict[str, str]) -> dict[str, str]:
        for key, value in env.items():
            if not key or "=" in key or "\0" in key + value:
                raise ValueError("has a name or value that no environment variable can have")
        return env

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [k for k in ("token_label", "serial", "slot") if getattr(self, k) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both choose the token; keep one")
        if self.pin_credential is not None and self.pin_file is not None:
            raise ValueError("pin_credential and pin_file both name the PIN; keep one")
        needed = self.sessions * SLOTS_PER_SESSION_MIN * SLOT_TEXT_BYTES
        if self.reserve < needed:
            raise ValueError(
                f"reserve = {size_text(self.reserve)} is too small for sessions = {self.sessions}; "
                f'set reserve = "{size_text(needed)}" or more, or fewer sessions'
            )
        return self

    @property
    def n_slots(self) -> int:
        """Slots of the ring; what is left over of `reserve` is not used."""
        return self.reserve // SLOT_TEXT_BYTES

    def pin_path(self) -> Path | None:
        """Return the file with the PIN, or None for no login; it is not read here."""
        if self.pin_credential is not None:
            return credential_path(
                f"hsm.{self.name}.pin_credential", self.pin_credential, "pin_file"
            )
        return self.pin_file


class HostFilter(_Table):
    """Which hosts of a vCenter to feed: all that meet every filter given, by name or id."""

    hosts: Names = ()
    names: Names = ()
    folders: Names = ()
    datacenters: Names = ()
    clusters: Names = ()

    @field_validator("*")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is an empty list; leave it out to mean all")
        return value


class VCenterConfig(_Table):
    """One vCenter: how to reach it, how to log in, which hosts, and how much at a time."""

    name: Name = Field(description="the table's key")
    url: Url
    username: Text
    password_credential: CredentialName | None = Field(
        default=None, description="a file in $CREDENTIALS_DIRECTORY"
    )
    password_file: FilePath | None = None
    ca_file: FilePath | None = Field(
        default=None, description="PEM; the system's store when left out"
    )
    max_in_flight: Annotated[int, Field(ge=1, le=256)] = Field(
        default=32, description="requests at a time"
    )
    max_add_bytes: Annotated[int, Size(3, MIB)] = Field(
        default=256 * KIB, description="raw bytes in one request"
    )
    request_timeout_seconds: Seconds = 30.0
    fast_path: bool = Field(
        default=True, description="whether requests go past aiohttp's client, for much less CPU"
    )
    max_bytes_per_second: Rate | None = None
    hosts: HostFilter = HostFilter()

    @field_validator("username")
    @classmethod
    def _no_colon(cls, username: str) -> str:
        if ":" in username:
            raise ValueError("holds a colon, which Basic authentication cannot carry")
        return username

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password_credential is None) == (self.password_file is None):
            count = "no password" if self.password_file is None else "two passwords"
            raise ValueError(f"has {count}; give either password_credential or password_file")
        return self

    def password_path(self) -> Path:
        """Return the file with the password."""
        if self.password_credential is not None:
            key = f"vcenter.{self.name}.password_credential"
            return credential_path(key, self.password_credential, "password_file")
        if self.password_file is None:
            raise ConfigError(Problem(f"vcenter.{self.name}", "has no password"))
        return self.password_file

    def password(self, warn: Warn | None = None) -> SecretStr:
        """Read the password now; `warn` hears of a password_file that others may read."""
        if self.password_credential is not None:
            return read_secret(f"vcenter.{self.name}.password_credential", self.password_path())
        return read_secret(f"vcenter.{self.name}.password_file", self.password_path(), warn)


class FeedConfig(_Table):
    """How hosts are fed."""

    refill_below: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=0.9, description="fraction of its capacity below which a host is topped up"
    )
    bytes_in_flight: Annotated[int, Size(SLOT_TEXT_BYTES, GIB)] = Field(
        default=64 * MIB, description="in all requests together"
    )


class StatusConfig(_Table):
    """Where the status page, /metrics, /livez and /readyz are."""

    listen: Address = "127.0.0.1:9464"
    names: Names = Field(
        default=(),
        description="host names under which the page is asked for, besides address and host",
    )

    @property
    def host(self) -> str:
        """The address or name to listen on."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to listen on; 0 for any free one."""
        return split_address(self.listen)[1]


class LogConfig(_Table):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


def _state_dir() -> Path | None:
    # systemd separates several by colons
    first = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(first) if first else None


class BridgeConfig(_Table):
    """The whole configuration."""

    hsm: dict[Name, HsmConfig] = Field(default_factory=dict)
    vcenter: dict[Name, VCenterConfig] = Field(default_factory=dict)
    feed: FeedConfig = FeedConfig()
    status: StatusConfig | None = None
    log: LogConfig = LogConfig()
    state_dir: FilePath | None = Field(
        default_factory=_state_dir,
        description="for what outlives a restart; $STATE_DIRECTORY when left out",
    )

    @field_validator("hsm", "vcenter", mode="before")
    @classmethod
    def _named(cls, tables: object) -> object:
        if not isinstance(tables, dict):
            return tables
        return {k: {**t, "name": k} if isinstance(t, dict) else t for k, t in tables.items()}
