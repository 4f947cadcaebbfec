"""What differs between the configuration in force and another one, and what each change takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bridge.config import BridgeConfig, HsmConfig, VCenterConfig

# What a session with a vCenter outlives.
_ADJUSTABLE = {
    "hosts",
    "max_in_flight",
    "max_add_bytes",
    "max_bytes_per_second",
    "password_credential",
    "password_file",
}
_TOKEN = {"module", "init_args", "env", "token_label", "serial", "slot"}


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of all tables of one kind, by what becomes of them; each in the file's order."""

    added: tuple[str, ...]
    replaced: tuple[str, ...]  # what runs is ended, and another begun
    adjusted: tuple[str, ...]  # what runs goes on, by other rules
    kept: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a reload has to do."""

    hsm: Tables
    vcenter: Tables


def compare(
    old: BridgeConfig, new: BridgeConfig, changed_vcenters: Collection[str] = ()
) -> Difference:
    """Compare; raises ConfigError when only a restart can put `new` in force.

    `changed_vcenters` are other ones than before though their tables may say the same.
    """
    if old.state_dir != new.state_dir:
        raise ConfigError(Problem("state_dir", "cannot change while running; restart the bridge"))
    return Difference(
        hsm=_tables(old.hsm, new.hsm, set()),
        vcenter=_tables(old.vcenter, new.vcenter, _ADJUSTABLE, changed_vcenters),
    )


def same_token(old: HsmConfig, new: HsmConfig) -> bool:
    """Tell whether both read the same token, so that the bytes of either are as good."""
    return all(getattr(old, key) == getattr(new, key) for key in _TOKEN)


def _tables(
    old: Mapping[str, HsmConfig] | Mapping[str, VCenterConfig],
    new: Mapping[str, HsmConfig] | Mapping[str, VCenterConfig],
    adjustable: set[str],
    replaced: Collection[str] = (),
) -> Tables:
    both = [name for name in new if name in old]
    changed = {
        name: {key for key in type(new[name]).model_fields if _differs(old[name], new[name], key)}
        for name in both
    }
    other = {name for name in both if changed[name] - adjustable or name in replaced}
    return Tables(
        added=tuple(name for name in new if name not in old),
        replaced=tuple(name for name in both if name in other),
        adjusted=tuple(name for name in both if changed[name] and name not in other),
        kept=tuple(name for name in both if not changed[name] and name not in other),
        removed=tuple(name for name in old if name not in new),
    )


def _differs(old: HsmConfig | VCenterConfig, new: HsmConfig | VCenterConfig, key: str) -> bool:
    return bool(getattr(old, key) != getattr(new, key))
