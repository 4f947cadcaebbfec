"""Where scenarios come from: the shipped ones by name, others by path; errors are one line."""

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.config import ConfigError
from bridge.config.errors import Problem
from bridge.twin.faults import FaultRule
from bridge.twin.scenario import Change, Criteria, FleetTable, HsmStep, Scenario

FILE_BYTES_MAX = 1024 * 1024

_TABLES: dict[str, type[BaseModel]] = {
    "fleet": FleetTable,
    "hsm": HsmStep,
    "change": Change,
    "fault": FaultRule,
    "pass": Criteria,
}


def shipped() -> dict[str, Traversable]:
    """Return the scenarios that come along, by name."""
    folder = files("bridge.twin") / "scenarios"
    found = [it for it in folder.iterdir() if it.name.endswith(".toml")]
    return {it.name.removesuffix(".toml"): it for it in sorted(found, key=lambda it: it.name)}


def load_scenario(name: str) -> Scenario:
    """Return the shipped scenario of that name or the one in that file; raises ConfigError."""
    known = shipped()
    if name in known:
        return parse_scenario(known[name].read_bytes())
    path = Path(name)
    if not path.exists() and path.suffix != ".toml":
        close = get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"there is no scenario {name}{hint}; it is a file, or one of: {', '.join(known)}"
        )
    try:
        return parse_scenario(_read(path))
    except ConfigError as error:
        raise error.within(path) from None


def parse_scenario(document: bytes) -> Scenario:
    """Check a TOML document; raises ConfigError."""
    try:
        tables = tomllib.loads(document.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}") from None
    except (ValueError, RecursionError):
        raise ConfigError("is not valid TOML: a number or a nesting is out of bounds") from None
    if "criteria" in tables:
        raise ConfigError(Problem("criteria", "is not a setting; did you mean pass?"))
    return checked(tables)


def checked(tables: dict[str, object]) -> Scenario:
    """Check tables as TOML gives them; raises ConfigError."""
    try:
        return Scenario.model_validate(tables)
    except ValidationError as error:
        raise problems_of(error) from None


def problems_of(error: ValidationError) -> ConfigError:
    """Say what pydantic found, a misspelt setting first: it is often the cause of the rest."""
    found = sorted(
        error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden"
    )
    return ConfigError([_problem(details) for details in found])


def _problem(details: ErrorDetails) -> Problem:
    loc = [str(part) for part in details["loc"]]
    key = ".".join(loc)
    if details["type"] == "extra_forbidden":
        return Problem(key, _unknown(loc))
    if details["type"] == "missing":
        return Problem(key, "is missing; add it")
    if details["type"] in {"model_type", "dict_type"}:
        return Problem(key, "must be a table")
    if details["type"] == "value_error":
        return Problem(key, str(details["ctx"]["error"]))
    text = details["msg"].removeprefix("Input ")
    return Problem(key, text[:1].lower() + text[1:])


def _unknown(loc: list[str]) -> str:
    model = Scenario if len(loc) == 1 else _TABLES.get(loc[0])
    fields = {} if model is None else model.model_fields
    known = [field.alias or name for name, field in fields.items()]
    close = get_close_matches(loc[-1], known, n=1, cutoff=0.6)
    if close:
        return f"is not a setting; did you mean {close[0]}?"
    return f"is not a setting; settings here are {', '.join(known)}" if known else "remove it"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            document = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError("there is no such file") from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from None
    if len(document) > FILE_BYTES_MAX:
        raise ConfigError("is larger than 1 MiB; is it a scenario?")
    return document
