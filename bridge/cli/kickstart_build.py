"""`entropy-bridge kickstart build`: a payload of its own for each new host."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bridge.cli.errors import Code, CommandError, UsageError
from bridge.cli.hsm_choice import ChosenHsm, chosen_hsm
from bridge.cli.kickstart_progress import Progress
from bridge.cli.output import print_error, print_json, warn
from bridge.hsm.selection import HsmError, select
from bridge.kickstart.build import Builder
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.files import Folder
from bridge.kickstart.hostnames import hosts_in, listed_hosts
from bridge.kickstart.limits import size_problem
from bridge.kickstart.manifest import NAME as MANIFEST_NAME
from bridge.kickstart.plan import Plan
from bridge.kickstart.sources import sources_warnings
from bridge.kickstart.template import Template
from bridge.native import harden_process
from bridge.source.errors import SourceError, SourceMisconfigured
from bridge.source.inspect import inspect_module
from bridge.source.oneshot import opened
from bridge.source.process import child_environment
from bridge.telemetry import log

_TEMPLATE_BYTES_MAX = 64 * 2**20  # it may be a file that was built before


def build(arguments: argparse.Namespace) -> int:
    """Build; no file appears unless it is complete."""
    if arguments.force and arguments.missing:
        raise UsageError("--force replaces what --missing leaves alone; use one of them")
    plan = _plan(arguments)
    chosen = chosen_hsm(arguments)
    harden_process()
    log.silence()
    warnings = list(_warnings(plan, chosen))
    with Folder(arguments.output) as folder:
        if folder.is_open_to_others:
            warnings.append(f"other users may replace files in {folder.path}")
        for text in warnings:
            warn(text)
        if arguments.missing:
            plan = _missing(plan, folder)
        builder = Builder(plan, folder, replace=arguments.force)
        show = sys.stderr.isatty() and not arguments.json
        with Progress(plan.payload_bytes, show=show) as progress, _reported(chosen, plan, progress):
            if plan.hosts:
                token = _token(chosen)
                asyncio.run(_build(chosen, builder, token, progress))
    if arguments.json:
        document = {
            "output": str(folder.path),
            "manifest": str(folder.path / MANIFEST_NAME),
            "payloads": progress.entries,
            "warnings": warnings,
        }
        print_json(document)
    else:
        print(_summary(plan, folder.path))
    return Code.OK


async def _build(
    chosen: ChosenHsm, builder: Builder, token: dict[str, str], progress: Progress
) -> None:
    async with opened(chosen.config, state_dir=chosen.state_dir) as supply:
        await builder.build(supply, token, progress)


def _plan(arguments: argparse.Namespace) -> Plan:
    if problem := size_problem(arguments.size):
        raise UsageError(f"--size: {problem}")
    hosts: tuple[str | None, ...] = (None,)
    try:
        if arguments.hosts is not None:
            hosts = tuple(listed_hosts(arguments.hosts))
        elif arguments.hosts_file is not None:
            hosts = tuple(hosts_in(arguments.hosts_file))
    except KickstartError as error:
        raise UsageError(str(error)) from None
    return Plan(arguments.size, arguments.sources, hosts, _template(arguments))


def _template(arguments: argparse.Namespace) -> Template | None:
    path = arguments.template or arguments.root_hash_file
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(_TEMPLATE_BYTES_MAX)
        if arguments.template:
            return Template.of(content)
        return Template.minimal(content.decode("ascii", "replace").strip())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except KickstartError as error:
        raise UsageError(f"{path}: {error}") from None


def _warnings(plan: Plan, chosen: ChosenHsm) -> Iterator[str]:
    if chosen.config.allow_soft_token:
        yield "with the soft token, which is not an HSM, this is good for a rehearsal only"
    yield from sources_warnings(plan.sources)
    if plan.template is not None:
        yield from (f"template: {finding}" for finding in plan.template.warnings)


def _missing(plan: Plan, folder: Folder) -> Plan:
    hosts = (host for host in plan.hosts if not all(map(folder.has, plan.file_names(host))))
    return replace(plan, hosts=tuple(hosts))


def _token(chosen: ChosenHsm) -> dict[str, str]:
    """Return what the manifest says of the token."""
    hsm = chosen.config
    environment = child_environment(hsm.env)
    info = inspect_module(hsm.module, hsm.init_args, environment, hsm.start_timeout_seconds)
    slot = select(info.slots, label=hsm.token_label, serial=hsm.serial, slot=hsm.slot)
    token = slot.token
    if token is None:
        raise HsmError(f"slot {slot.slot_id} holds no token")
    return {
        "module": str(hsm.module),
        "label": token.label,
        "serial": token.serial,
        "manufacturer": token.manufacturer,
        "model": token.model,
    }


@contextmanager
def _reported(chosen: ChosenHsm, plan: Plan, progress: Progress) -> Iterator[None]:
    """Turn what stops a build into one line that also says how far it came."""
    try:
        yield
    except KeyboardInterrupt:
        if progress.entries:
            print_error(f"interrupted{_so_far(plan, progress)}")
        raise
    except KickstartError as error:
        raise CommandError(f"{error}{_so_far(plan, progress)}") from None
    except (SourceError, HsmError) as error:
        code = Code.USAGE if isinstance(error, SourceMisconfigured) else Code.FAILURE
        raise CommandError(f"{chosen.said(error)}{_so_far(plan, progress)}", code) from None


def _so_far(plan: Plan, progress: Progress) -> str:
    if not progress.entries:
        return ""
    n_done, n_hosts = len(progress.entries), len(plan.hosts)
    return f" ({n_done} of {n_hosts} hosts are done; --missing builds for the others)"


def _summary(plan: Plan, path: Path) -> str:
    n_hosts = len(plan.hosts)
    if not n_hosts:
        return f"{path}: no host is missing"
    what = "kickstart file" if plan.template is not None else "payload (.dat and .b64)"
    many = what.replace("file", "files").replace("payload", "payloads") if n_hosts > 1 else what
    return (
        f"{path}: {n_hosts} {many} with {plan.n_bytes:,} bytes for each host, and {MANIFEST_NAME}"
    )
