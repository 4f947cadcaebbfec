"""Checks of the files that a configuration names."""

import os
import ssl
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bridge.config.elf import other_processor
from bridge.config.errors import ConfigError, Problem
from bridge.config.models import BridgeConfig, HsmConfig, VCenterConfig
from bridge.config.secrets import Warn, check_secret_file

_FORBIDDEN = "may not be read by this user"


def check_files(config: BridgeConfig, warn: Warn | None = None) -> None:
    """Raise a ConfigError for each module, secret or CA file that cannot be used."""
    problems: list[Problem] = []
    for hsm in config.hsm.values():
        problems += _hsm_problems(hsm, warn)
    for vcenter in config.vcenter.values():
        problems += _vcenter_problems(vcenter, warn)
    if config.hsm:  # the state is that of its PINs
        problems += _state_problems(config.state_dir)
    if problems:
        raise ConfigError(problems)


def check_state_dir(state_dir: Path | None) -> None:
    """Raise a ConfigError if a refused PIN could not be noted there, which is tried."""
    problems = list(_state_problems(state_dir, tried=True))
    if problems:
        raise ConfigError(problems)


def check_hsm_files(
    hsm: HsmConfig, warn: Warn | None = None, *, state_dir: Path | None = None
) -> None:
    """Raise a ConfigError if this HSM's module or PIN cannot be used, or its refusal noted."""
    problems = list(_hsm_problems(hsm, warn))
    if hsm.pin_file is not None or hsm.pin_credential is not None:
        problems += _state_problems(state_dir, tried=True)
    if problems:
        raise ConfigError(problems)


def check_vcenter_files(vcenter: VCenterConfig, warn: Warn | None = None) -> None:
    """Raise a ConfigError if this vCenter's password or CA file cannot be used."""
    problems = list(_vcenter_problems(vcenter, warn))
    if problems:
        raise ConfigError(problems)


def _state_problems(state_dir: Path | None, *, tried: bool = False) -> Iterator[Problem]:
    if state_dir is None:
        return
    # It is made when it is needed, by the user that the bridge runs as; so it is not made here.
    there = next(path for path in (state_dir, *state_dir.parents) if os.path.lexists(path))
    todo = "name a directory for notes on PINs"
    if not there.is_dir():
        wrong = f"{there} is not a directory"
    elif not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        wrong = f"this user may not write into {there}"
    elif tried and (why := _not_written(there)):
        wrong, todo = f"nothing can be written into {there} ({why})", f"make room, or {todo}"
    else:
        return
    yield Problem("state_dir", f"{wrong}; {todo}")


def _not_written(directory: Path) -> str:
    """Say why a file there, which nobody sees, cannot have a byte; the disk may be full."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0")
    except OSError as error:
        return error.strerror or "no reason is given"
    return ""


def _hsm_problems(hsm: HsmConfig, warn: Warn | None) -> Iterator[Problem]:
    wrong = _not_a_file(hsm.module) or other_processor(hsm.module)
    if wrong:
        todo = "name the PKCS#11 library that the HSM's vendor delivers"
        if wrong == _FORBIDDEN:
            todo = "let it read the file, and enter the folders above it"
        yield Problem(f"hsm.{hsm.name}.module", f"{hsm.module} {wrong}; {todo}")
    try:
        path = hsm.pin_path()
        if path is not None and hsm.pin_credential is not None:
            # systemd lets the service in by an access list, which shows in the mode as group bits
            check_secret_file(f"hsm.{hsm.name}.pin_credential", path)
        elif path is not None:
            check_secret_file(f"hsm.{hsm.name}.pin_file", path, warn)
    except ConfigError as error:
        yield from error.problems


def _vcenter_problems(vcenter: VCenterConfig, warn: Warn | None) -> Iterator[Problem]:
    try:
        vcenter.password(warn)
    except ConfigError as error:
        yield from error.problems
    if vcenter.ca_file is None:
        return
    wrong = _not_a_file(vcenter.ca_file) or _not_certificates(vcenter.ca_file)
    if wrong:
        if wrong == _FORBIDDEN:
            wrong += "; run chmod 644 on it"
        elif ";" not in wrong:
            wrong += f"; get the certificates from {vcenter.url}/certs/download.zip"
        yield Problem(f"vcenter.{vcenter.name}.ca_file", f"{vcenter.ca_file} {wrong}")


def _not_a_file(path: Path) -> str:
    try:
        # Looked at before it is opened, which would wait at a pipe for somebody to write.
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb"):
                return ""
        return "is a directory" if stat.S_ISDIR(mode) else "is not a file"
    except FileNotFoundError:
        return "does not exist"
    except PermissionError:
        return _FORBIDDEN
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _not_certificates(path: Path) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError):
        if zipfile.is_zipfile(path):  # what vCenter offers for download is one
            return "is a zip archive; unpack it and name the file in certs/lin"
        return "holds no certificate in PEM form"
    return ""
