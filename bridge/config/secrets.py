"""Where secrets lie and how they are read: only from files, only when they are needed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from bridge.config.errors import ConfigError, Problem

SECRET_BYTES_MAX = 4096

Warn = Callable[[str], None]


def credential_path(key: str, name: str, alternative: str) -> Path:
    """Return the file of a systemd credential; `key` and `alternative` are for the message."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ConfigError(
            Problem(
                key,
                "$CREDENTIALS_DIRECTORY is not set; let systemd set it with "
                f"LoadCredential={name}:FILE, by hand set it to the folder of {name}, "
                f"or name a file with {alternative}",
            )
        )
    return Path(folder, name)


def check_secret_file(key: str, path: Path, warn: Warn | None = None) -> None:
    """Check that a secret's file can be read and is not empty, without reading it."""
    try:
        info = path.stat()
    except OSError as error:
        raise _unreadable(key, path, error) from None
    if not stat.S_ISREG(info.st_mode):
        raise ConfigError(Problem(key, f"{path} is not a file; name a file with the secret"))
    if info.st_size == 0:
        raise ConfigError(Problem(key, f"{path} is empty; write the secret into it"))
    if info.st_size > SECRET_BYTES_MAX:
        raise ConfigError(Problem(key, f"{path} is too large for a secret; is it the right file?"))
    if not os.access(path, os.R_OK):
        raise _unreadable(key, path, PermissionError(13, "Permission denied"))
    if warn is not None and info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        warn(f"{key}: other users may open {path}; run chmod 600 on it")


def read_secret(key: str, path: Path, warn: Warn | None = None) -> SecretStr:
    """Read a secret; one trailing newline does not belong to it."""
    check_secret_file(key, path, warn)
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise _unreadable(key, path, error) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(key, f"{path} is not UTF-8; save it as UTF-8")) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError(Problem(key, f"{path} is empty; write the secret into it"))
    if any(c in text for c in "\r\n\0"):
        raise ConfigError(Problem(key, f"{path} has more than one line; keep only the secret"))
    return SecretStr(text)


def _unreadable(key: str, path: Path, error: OSError) -> ConfigError:
    reason = {
        FileNotFoundError: "there is no such file",
        PermissionError: "this user may not read it",
    }.get(type(error), error.strerror or "it cannot be read")
    return ConfigError(Problem(key, f"cannot read {path}: {reason}"))
