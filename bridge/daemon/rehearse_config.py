"""The configuration of a rehearsal: the user's HSMs and limits, and no way to a real vCenter.

Where the hosts' time runs `speed` times faster than the bridge's, limits that are set in seconds or
per second are scaled with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config import BridgeConfig, HostFilter, HsmConfig, VCenterConfig
from bridge.native import softtoken_path

if TYPE_CHECKING:
    from bridge.daemon.demo_twin import TwinAddress

REQUEST_SECONDS_MIN = 2.0  # a short timeout is not scaled into one that a busy machine misses
_RATE_MAX = 1024**4


def rehearsal_config(
    config: BridgeConfig, address: TwinAddress, *, soft_token: bool, speed: float
) -> BridgeConfig:
    """Return what the bridge rehearses with.

    Every vCenter table is made anew from its name and its limits and leads to the twin, to a
    datacenter of its own if there are several. The status page is left out: the bridge that is in
    service may have its address.
    """
    sites: list[VCenterConfig | None] = [*config.vcenter.values()]
    sites = sites or [None]
    several = len(sites) > 1
    tables = [
        _site(site, address, f"DC-{number:02d}" if several else None, speed)
        for number, site in enumerate(sites, start=1)
    ]
    return BridgeConfig(
        hsm={it.name: it for it in rehearsal_hsms(config, soft_token=soft_token, speed=speed)},
        vcenter={it.name: it for it in tables},
        feed=config.feed,
        log=config.log,
        state_dir=config.state_dir,
    )


def rehearsal_hsms(config: BridgeConfig, *, soft_token: bool, speed: float) -> list[HsmConfig]:
    """Return the configured HSMs, or the soft token in the place of each, or of none."""
    hsms = [*config.hsm.values()]
    if soft_token or not hsms:
        hsms = [_soft(it) for it in hsms] or [_soft(None)]
    return [
        it.model_copy(update={"max_bytes_per_second": _scaled(it.max_bytes_per_second, speed)})
        for it in hsms
    ]


def is_soft(hsm: HsmConfig) -> bool:
    """Tell whether it is the soft token, which is not an HSM."""
    try:
        return hsm.module.samefile(softtoken_path())
    except OSError:
        return False


def _soft(hsm: HsmConfig | None) -> HsmConfig:
    name, module = "soft-token", Path(softtoken_path())
    if hsm is None:
        return HsmConfig(name=name, module=module, allow_soft_token=True)
    return HsmConfig(
        name=hsm.name,
        module=module,
        allow_soft_token=True,
        allow_unlocked=hsm.allow_unlocked,
        sessions=hsm.sessions,
        reserve=hsm.reserve,
        max_bytes_per_second=hsm.max_bytes_per_second,
    )


def _site(
    site: VCenterConfig | None, address: TwinAddress, datacenter: str | None, speed: float
) -> VCenterConfig:
    twin = VCenterConfig(
        name="twin" if site is None else site.name,
        url=address.url,
        username=address.username,
        password_file=Path(address.password_file),
        ca_file=Path(address.ca_file),
        hosts=HostFilter() if datacenter is None else HostFilter(datacenters=(datacenter,)),
    )
    limits = twin if site is None else site
    timeout = limits.request_timeout_seconds
    return twin.model_copy(
        update={
            "max_in_flight": limits.max_in_flight,
            "max_add_bytes": limits.max_add_bytes,
            "fast_path": limits.fast_path,
            "max_bytes_per_second": _scaled(limits.max_bytes_per_second, speed),
            "request_timeout_seconds": max(timeout / speed, min(timeout, REQUEST_SECONDS_MIN)),
        }
    )


def _scaled(bytes_per_second: int | None, speed: float) -> int | None:
    return None if bytes_per_second is None else min(_RATE_MAX, round(bytes_per_second * speed))
