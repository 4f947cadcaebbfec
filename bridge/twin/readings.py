"""Where the vendor's documents leave something open: a named switch for each reading of them.

The first value of each is the default: what the contract file expects, or else what is harder
on a client. `--reading NAME=VALUE` chooses another.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from bridge.twin.failure import TwinError


class AvailableCounts(StrEnum):
    """What capacity and currently_available speak of."""

    MEMORY = "memory"  # the memory cache
    MEMORY_AND_STORAGE = "memory-and-storage"  # both caches together


class StorageFill(StrEnum):
    """Whether additions fill the storage cache while only the memory cache is counted."""

    COPY = "copy"  # what the memory cache accepts is stored too, while there is room
    NONE = "none"  # installation alone fills it


class WatermarkUnit(StrEnum):
    """The unit of low_watermark: the API says bytes, the guide says bits."""

    BYTES = "bytes"
    BITS = "bits"


class OverfillKeeps(StrEnum):
    """Which end of an addition is kept when there is not room for all of it."""

    HEAD = "head"
    TAIL = "tail"


class BootStorage(StrEnum):
    """What a booting host does with its storage cache."""

    SEEDS_KERNEL = "seeds-kernel"  # the kernel's pool alone is filled
    REFILLS_MEMORY = "refills-memory"  # the memory cache too


class Exhaustion(StrEnum):
    """What becomes of a host with sources = 8 that has no entropy left."""

    UNRESPONSIVE = "unresponsive"  # until it is rebooted, with something in its storage cache
    REINSTALL = "reinstall"  # no reboot helps
    TOLERATED = "tolerated"  # it waits and goes on: for tests of other things


class Mixing(StrEnum):
    """How much of a host's demand its external source carries beside internal ones."""

    EQUAL = "equal"  # one share for each source
    ALL = "all"  # all of it


class UnreachableHost(StrEnum):
    """What the pool of a host that vCenter does not reach answers."""

    UNAVAILABLE = "503"
    ERROR = "500"
    NOT_FOUND = "404"


class DisabledAddition(StrEnum):
    """What an addition to a disabled pool is answered with."""

    ERROR = "500"
    NOT_FOUND = "404"
    UNAVAILABLE = "503"


class DisabledFields(StrEnum):
    """How a disabled pool shows the four levels that it does not have."""

    ABSENT = "absent"
    NULL = "null"


class MalformedBody(StrEnum):
    """The error_type of a body that cannot be read; the status is 400."""

    INVALID_ARGUMENT = "invalid-argument"
    UNEXPECTED_INPUT = "unexpected-input"


class EmptyAddition(StrEnum):
    """What an addition of no bytes is."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


class SessionCookie(StrEnum):
    """Whether a login also sets a cookie, which then is taken before the header."""

    NONE = "none"
    FIRST = "first"


class CacheResize(StrEnum):
    """What becomes of entropyd when the size of its memory cache is changed."""

    APPLIES = "applies"
    BREAKS = "breaks"  # it logs config.error and works again after a reboot
    BREAKS_IF_SMALLER = "breaks-if-smaller"  # the same, only if the content has no room any more


class PayloadUnits(StrEnum):
    """What the guide's 512 KB to 10 MB of installation payload are."""

    DECIMAL = "decimal"  # 512,000 to 10,000,000 bytes
    BINARY = "binary"  # 524,288 to 10,485,760 bytes


class Readings(BaseModel):
    """One choice for everything that is open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    available_counts: AvailableCounts = AvailableCounts.MEMORY
    storage_fill: StorageFill = StorageFill.COPY
    watermark_unit: WatermarkUnit = WatermarkUnit.BYTES
    overfill_keeps: OverfillKeeps = OverfillKeeps.HEAD
    boot_storage: BootStorage = BootStorage.SEEDS_KERNEL
    exhaustion: Exhaustion = Exhaustion.UNRESPONSIVE
    mixing: Mixing = Mixing.EQUAL
    unreachable_host: UnreachableHost = UnreachableHost.UNAVAILABLE
    disabled_addition: DisabledAddition = DisabledAddition.ERROR
    disabled_fields: DisabledFields = DisabledFields.ABSENT
    malformed_body: MalformedBody = MalformedBody.INVALID_ARGUMENT
    empty_addition: EmptyAddition = EmptyAddition.REFUSED
    session_cookie: SessionCookie = SessionCookie.NONE
    cache_resize: CacheResize = CacheResize.APPLIES
    payload_units: PayloadUnits = PayloadUnits.DECIMAL

    def choose(self, choice: str) -> "Readings":
        """Return the same but for one choice, written NAME=VALUE."""
        name, _, value = choice.partition("=")
        switches = all_switches()
        kind = switches.get(name)
        if kind is None:
            raise TwinError(
                f"there is no reading {choice}; it is NAME=VALUE with a NAME of: "
                + ", ".join(switches)
            )
        if value not in list(kind):
            values = ", ".join(kind)
            raise TwinError(f"the reading {name} is one of: {values}; not {value}")
        return Readings.model_validate(self.model_dump() | {name.replace("-", "_"): value})


def all_switches() -> dict[str, type[StrEnum]]:
    """Return the kind of every switch by its name on the command line, the default value first."""
    kinds = {name: it.annotation for name, it in Readings.model_fields.items()}
    return {
        name.replace("_", "-"): kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, StrEnum)
    }


def every_single_choice() -> list[str]:
    """Return every choice that differs from the default in one switch, as NAME=VALUE."""
    return [f"{name}={value}" for name, kind in all_switches().items() for value in list(kind)[1:]]


def describe_readings() -> str:
    """Return what each switch is about and its values, the default first."""
    return "".join(
        f"{name} = {' | '.join(kind)}\n    {(kind.__doc__ or '').splitlines()[0]}\n"
        for name, kind in all_switches().items()
    )
