"""From a TOML file to a BridgeConfig, or to a ConfigError: nothing else comes out."""

import os
import pwd
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bridge.config.errors import ConfigError, Problem
from bridge.config.explain import explain, unknown_key
from bridge.config.models import BridgeConfig

FILE_BYTES_MAX = 1024 * 1024

Need = Literal["hsm", "vcenter"]

_BACKSLASH = "write a backslash twice (DOMAIN\\\\user), or the text in 'single quotes'"
# By what the parser says.
_TOML_TIPS = {
    "Invalid value": 'write a text in straight quotes ("…"), and true or false in small letters',
    "Unescaped '\\'": _BACKSLASH,
    "Invalid hex value": _BACKSLASH,
    "twice": "give each table a name of its own",
    "Cannot overwrite a value": "a setting is there twice; keep one",
    "Expected '='": 'write one setting in a line, as in name = "value"',
}

_NEEDS: dict[Need, Problem] = {
    "hsm": Problem("hsm", "no HSM is configured; add a table such as [hsm.luna]"),
    "vcenter": Problem("vcenter", "no vCenter is configured; add a table such as [vcenter.site-a]"),
}


def load(path: Path, need: Collection[Need] = ()) -> BridgeConfig:
    """Read and check the file at `path`; `need` names the tables that may not be missing."""
    try:
        return parse(_read(path), folder=path.parent.absolute(), need=need)
    except ConfigError as error:
        raise error.within(path) from None


def parse(document: bytes, folder: Path | None = None, need: Collection[Need] = ()) -> BridgeConfig:
    """Check a TOML document; relative paths in it are seen from `folder`."""
    return check(_tables(document), folder, need)


def check(
    tables: dict[str, object], folder: Path | None = None, need: Collection[Need] = ()
) -> BridgeConfig:
    """Check tables as TOML gives them."""
    problems = _named_tables(tables)
    try:
        config = BridgeConfig.model_validate(tables, context={"folder": folder})
    except ValidationError as error:
        raise ConfigError(problems + explain(error)) from None
    problems += [_NEEDS[table] for table in _NEEDS if table in need and not getattr(config, table)]
    if problems:
        raise ConfigError(problems)
    return config


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            document = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError("there is no such file; name the configuration with --config") from None
    except IsADirectoryError:
        raise ConfigError("is a directory; name the file in it") from None
    except PermissionError:
        todo = "run chmod 644 on it, and chmod 755 on its folder"
        raise ConfigError(f"the user {_user()} may not read it; {todo}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(document) > FILE_BYTES_MAX:
        raise ConfigError("is larger than 1 MiB; is it the configuration?")
    return document


def _user() -> str:
    """Return who asks: that of a service is seldom the one who looks."""
    user_id = os.geteuid()
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _tables(document: bytes) -> dict[str, object]:
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = document.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"line {line} is not UTF-8; save the file as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}{_toml_tip(str(error))}") from None
    except (ValueError, RecursionError):
        # digits or brackets without end
        raise ConfigError("is not valid TOML: a number or a nesting is out of bounds") from None


def _toml_tip(error: str) -> str:
    """Say what to write instead, where the parser's words tell nobody who does not know TOML."""
    return next((f"; {tip}" for words, tip in _TOML_TIPS.items() if words in error), "")


def _named_tables(tables: dict[str, object]) -> list[Problem]:
    # A table's name is its key. The models have it as a field, so they would not refuse it.
    return [
        unknown_key((kind, key, "name"))
        for kind in _NEEDS
        for key, table in _items(tables.get(kind))
        if isinstance(table, dict) and "name" in table
    ]


def _items(table: object) -> list[tuple[str, object]]:
    return list(table.items()) if isinstance(table, dict) else []
