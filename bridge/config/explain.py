"""From pydantic's findings to words that an administrator can act on."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.config.errors import Problem
from bridge.config.models import (
    BridgeConfig,
    FeedConfig,
    HostFilter,
    HsmConfig,
    LogConfig,
    StatusConfig,
    VCenterConfig,
)

_EXAMPLE_TABLES = {"hsm": "[hsm.luna]", "vcenter": "[vcenter.site-a]"}
_SECRET_WORDS = ("password", "passwd", "pin", "secret")

_WORDS = {
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "path_type": "must be a path in quotes",
    "is_instance_of": "must be a path in quotes",
    "tuple_type": 'must be a list of texts, such as ["Prod-EAL4"]',
    "dict_type": "must be a table",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "is empty; write a text or leave the setting out",
    "string_too_long": "is too long; at most {max_length} characters",
    "literal_error": "must be {expected}",
    "missing": "is missing; add it",
}
_PATTERN = (
    "has a character that a name cannot have; use letters, digits, dot, dash and underscore, "
    "at most 64"
)


def explain(error: ValidationError) -> list[Problem]:
    """Say each finding once, as the key that it is about and what to do."""
    # A misspelt key is also a missing one: the misspelling comes first, for it is the cause.
    found = sorted(
        error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden"
    )
    return list(dict.fromkeys(_problem(details) for details in found))


def unknown_key(loc: tuple[str, ...]) -> Problem:
    """Say that there is no such setting, and which was probably meant."""
    key = loc[-1]
    known = _settings(loc[:-1])
    if any(word in key.lower() for word in _SECRET_WORDS) and key not in known:
        secrets = [k for k in known if k.endswith(("_file", "_credential"))]
        if secrets:
            return Problem(
                _dotted(loc), f"secrets do not belong in this file; use {' or '.join(secrets)}"
            )
    if key == "name" and loc[0] in _EXAMPLE_TABLES:
        return Problem(_dotted(loc), "is not a setting; the name is what the table is called")
    close = get_close_matches(key.lower(), known, n=1, cutoff=0.6)
    if close:
        hint = f"did you mean {close[0]}?"
    elif known:
        hint = f"settings here are {', '.join(known)}"
    else:
        hint = "remove it"
    return Problem(_dotted(loc), f"is not a setting; {hint}")


def _problem(details: ErrorDetails) -> Problem:
    kind = details["type"]
    loc = tuple(str(part) for part in details["loc"])
    if kind == "extra_forbidden":
        return unknown_key(loc)
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return _not_a_table(loc)
    if kind == "string_pattern_mismatch":
        return Problem(_dotted(loc[:2] if loc[-1] in {"[key]", "name"} else loc), _PATTERN)
    context: Mapping[str, object] = details.get("ctx", {})
    if kind == "value_error":
        return Problem(_dotted(loc), str(context.get("error", "is wrong")))
    text = _WORDS.get(kind)
    if text is None:
        return Problem(_dotted(loc), details["msg"])
    return Problem(_dotted(loc), text.format_map(context))


def _not_a_table(loc: tuple[str, ...]) -> Problem:
    example = _EXAMPLE_TABLES.get(loc[0])
    if example is not None and len(loc) <= 2:
        kind = "HSM" if loc[0] == "hsm" else "vCenter"
        return Problem(
            _dotted(loc), f"must be a table; each {kind} has a name of its own: {example}"
        )
    return Problem(_dotted(loc), f"must be a table: [{_dotted(loc)}]")


def _settings(table: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] | None = BridgeConfig
    match table:
        case ():
            pass
        case ("hsm", _):
            model = HsmConfig
        case ("vcenter", _):
            model = VCenterConfig
        case ("vcenter", _, "hosts"):
            model = HostFilter
        case ("feed",):
            model = FeedConfig
        case ("status",):
            model = StatusConfig
        case ("log",):
            model = LogConfig
        case _:
            model = None
    named = len(table) == 2
    return [] if model is None else [k for k in model.model_fields if not (named and k == "name")]


def _dotted(loc: Iterable[str]) -> str:
    return ".".join(part if part.isprintable() and part else repr(part) for part in loc)
