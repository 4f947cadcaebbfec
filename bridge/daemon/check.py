"""`check`: all that `run` will need, tried once, with what to do about what fails."""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.config import (
    ConfigError,
    check_hsm_files,
    check_state_dir,
    check_vcenter_files,
)
from bridge.daemon.oneshot import Fleet
from bridge.source.errors import SourceError
from bridge.source.logins import Logins
from bridge.source.oneshot import opened
from bridge.telemetry.snapshot import HostState
from bridge.telemetry.status import no_listening
from bridge.vcenter import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.config import BridgeConfig, HsmConfig, StatusConfig, VCenterConfig

_BYTES_SECONDS = 10.0


class Verdict(StrEnum):
    """How one step ended."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried: what, how it ended, and what was seen or what to do."""

    subject: str
    verdict: Verdict
    text: str


async def check(config: BridgeConfig) -> AsyncIterator[Step]:
    """Try everything; nothing is sent to any host."""
    state = None if config.state_dir is None else _state(config.state_dir)
    if state is not None:
        yield state
    may_log_in = state is None or state.verdict is not Verdict.BAD
    logins = Logins()
    for hsm in config.hsm.values():
        notes: list[str] = []
        tried = await _hsm(config, hsm, logins if may_log_in else None, notes)
        for step in (*_notes(f"hsm.{hsm.name}", notes), tried):
            yield step
    chosen: dict[str, str] = {}
    for vcenter in config.vcenter.values():
        async for step in _vcenter(config, vcenter, chosen):
            yield step
    if config.status is not None:
        yield await _status(config.status)


async def _hsm(
    config: BridgeConfig, hsm: HsmConfig, logins: Logins | None, notes: list[str]
) -> Step:
    """Try one, without `logins` if it needs none; what is to be warned of is added to `notes`."""
    subject = f"hsm.{hsm.name}"
    try:
        check_hsm_files(hsm, notes.append)
        if logins is None and hsm.pin_path() is not None:
            text = "not tried: a refused PIN could not be noted; see state_dir"
            return Step(subject, Verdict.BAD, text)
        async with opened(hsm, state_dir=config.state_dir, logins=logins) as supply:
            waited = 0.0
            while not supply.available_bytes and waited < _BYTES_SECONDS:
                await asyncio.sleep(0.1)
                waited += 0.1
            if not supply.available_bytes:
                return Step(subject, Verdict.BAD, "logged in, but no bytes came in 10 s")
    except (ConfigError, SourceError) as error:
        return Step(subject, Verdict.BAD, _without(str(error), f"{subject}: ", f"{subject}."))
    if hsm.allow_soft_token:
        text = "works, but allow_soft_token is set: the soft token is not an HSM"
        return Step(subject, Verdict.WARNING, text)
    return Step(subject, Verdict.GOOD, "token found, login and output tests passed, bytes came")


async def _vcenter(
    config: BridgeConfig, vcenter: VCenterConfig, chosen: dict[str, str]
) -> AsyncIterator[Step]:
    """Try one; `chosen` says which vCenter has a host, by the host's name, and is added to."""
    subject = f"vcenter.{vcenter.name}"
    alone = config.model_copy(update={"vcenter": {vcenter.name: vcenter}})
    notes: list[str] = []
    try:
        check_vcenter_files(vcenter, notes.append)
        for step in _notes(subject, notes):
            yield step
        async with AsyncExitStack() as stack:
            fleet = await stack.enter_async_context(Fleet(alone))
            yield Step(subject, Verdict.GOOD, "certificate verified, login accepted")
            hosts = await fleet.inventory()
            yield Step(subject, Verdict.GOOD if hosts else Verdict.BAD, _inventory_text(len(hosts)))
            names = [host.summary.name for host in hosts]
            if twice := Counter(chosen[name] for name in names if name in chosen):
                yield Step(subject, Verdict.WARNING, _twice_text(twice))
            chosen.update(dict.fromkeys(names, subject))
            looked = await asyncio.gather(*(fleet.look(host) for host in hosts))
    except (ConfigError, errors.VCenterError) as error:
        text = _without(str(error), f"vCenter {vcenter.name}: ", f"{subject}.")
        yield Step(subject, Verdict.BAD, text)
        return
    states = Counter(row.state for row, _ in looked)
    first = {row.state: (row.name, text) for row, text in reversed(looked)}
    if fed := states[HostState.FED]:
        text = f"{fed} hosts take external entropy and may be read (Host.Entropy.Read)"
        yield Step(subject, Verdict.GOOD, text)
        text = "Host.Entropy.Write shows only when the first bytes are sent: try fill"
        yield Step(subject, Verdict.WARNING, text)
    if disabled := states[HostState.DISABLED]:
        text = f"{disabled} hosts take no external entropy (entropySources below 8): not fed"
        yield Step(subject, Verdict.WARNING, text)
    for state in (HostState.REFUSED, HostState.UNREACHABLE):
        if n := states[state]:
            name, why = first[state]
            which = name if n == 1 else f"{n} hosts cannot be read, {name} for one"
            why = _without(why, f"vCenter {vcenter.name}: ")
            yield Step(subject, Verdict.BAD, f"{which}: {why}")


async def _status(status: StatusConfig) -> Step:
    subject = "status.listen"
    try:
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, status.host, status.port, start_serving=False
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"{status.listen} is in use: by the bridge that runs already, or by another"
            return Step(subject, Verdict.WARNING, text)
        return Step(subject, Verdict.BAD, no_listening(status, error))
    server.close()
    return Step(subject, Verdict.GOOD, f"{status.listen} is free")


def _state(state_dir: Path) -> Step:
    subject = "state_dir"
    try:
        check_state_dir(state_dir)
    except ConfigError as error:
        return Step(subject, Verdict.BAD, _without(str(error), f"{subject}: "))
    return Step(subject, Verdict.GOOD, f"{state_dir} can be written")


def _notes(subject: str, texts: list[str]) -> list[Step]:
    return [Step(subject, Verdict.WARNING, _without(text, f"{subject}.")) for text in texts]


def _without(text: str, *prefixes: str) -> str:
    """Leave out what the step's subject says already."""
    for prefix in prefixes:
        text = text.removeprefix(prefix)
    return text


def _twice_text(twice: Counter[str]) -> str:
    [(other, n_hosts)] = twice.most_common(1)
    return (
        f"{n_hosts} hosts are also chosen by {other}: each table would feed them, and see that "
        "somebody else does; divide them by clusters, or leave one table out"
    )


def _inventory_text(n_hosts: int) -> str:
    if n_hosts:
        return f"{n_hosts} hosts chosen"
    return "no hosts are visible: give the user a role with Host.Entropy.Read on them, propagated"
