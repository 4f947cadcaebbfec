"""entropyd's four parameters, as `esxcli system entropyd` shows and sets them."""

from dataclasses import dataclass, fields, replace

KIB = 1024


@dataclass(frozen=True)
class Parameters:
    """The values in the units of esxcli; the defaults are the vendor's."""

    external_entropy_lost_timeout: int = 60
    memory_cache_low_watermark: int = 20
    memory_cache_size: int = 512
    storage_cache_size: int = 4096

    def __post_init__(self) -> None:
        """Refuse values that no cache or clock can have; the vendor's own limits are unknown."""
        for it in fields(self):
            low, high = RANGES[it.name]
            value = getattr(self, it.name)
            if not low <= value <= high:
                option = it.name.replace("_", "-")
                raise ValueError(f"--{option} must be between {low} and {high}, not {value}")

    @property
    def memory_bytes(self) -> int:
        """Return the size of the memory cache."""
        return self.memory_cache_size * KIB

    @property
    def storage_bytes(self) -> int:
        """Return the size of the storage cache."""
        return self.storage_cache_size * KIB

    def with_defaults(self, names: frozenset[str]) -> "Parameters":
        """Return the same with the named parameters as the vendor ships them."""
        return replace(self, **{name: getattr(DEFAULTS, name) for name in names})


RANGES = {
    "external_entropy_lost_timeout": (1, 86_400),
    "memory_cache_low_watermark": (1, 99),
    "memory_cache_size": (1, 1024 * 1024),
    "storage_cache_size": (1, 1024 * 1024),
}
DEFAULTS = Parameters()
