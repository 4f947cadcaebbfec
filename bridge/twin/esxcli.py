"""`esxcli system entropyd get|set` over a host's entropyd, with the vendor's lines.

The guide prescribes options and output of success; the words of refusals are the twin's own.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from bridge.twin.entropyd import Entropyd, State
from bridge.twin.parameters import DEFAULTS, RANGES, Parameters

NAMES = {
    "memory-cache-size": ("Memory Cache Size Kibibytes", "the size of the memory cache in KiB"),
    "memory-cache-low-watermark": (
        "Memory Cache Low Watermark Percentage",
        "the watermark of the memory cache in per cent",
    ),
    "storage-cache-size": ("Storage Cache Size Kibibytes", "the size of the storage cache in KiB"),
    "external-entropy-lost-timeout": (
        "External Entropy Lost Timeout Seconds",
        "the time without a contact after which the source counts as lost, in seconds",
    ),
}
_SHOWN = (
    "external-entropy-lost-timeout",
    "memory-cache-low-watermark",
    "memory-cache-size",
    "storage-cache-size",
)
_RESETS = ("all", *NAMES)


class _Usage(Exception):
    """The command cannot be carried out; the text says why."""


def run_esxcli(arguments: Sequence[str], daemon: Entropyd, now: float) -> tuple[int, str]:
    """Carry out the words after `esxcli`; return exit code and output."""
    if daemon.state is not State.RUNNING:
        return 1, "Error: the host does not respond\n"
    try:
        match list(arguments):
            case ["system", "entropyd", "get", *options]:
                return 0, _get(options, daemon.parameters)
            case ["system", "entropyd", "set", *options]:
                return 0, _set(options, daemon, now)
            case [*_, "--help"]:
                return 0, "Usage: esxcli system entropyd get|set [options]\n"
            case _:
                return 1, "Error: the twin knows: esxcli system entropyd get|set\n"
    except _Usage as error:
        return 1, f"Error: {error}\n"


def show(parameters: Parameters) -> str:
    """Return the four lines that `get` prints."""
    return "".join(f"{NAMES[it][0]}: {getattr(parameters, _field(it))}\n" for it in _SHOWN)


def _get(options: list[str], parameters: Parameters) -> str:
    match options:
        case []:
            return show(parameters)
        case ["--default-values"]:
            return show(DEFAULTS)
        case ["--help"]:
            return (
                "Usage: esxcli system entropyd get [--default-values]\n\n"
                "  --default-values  Show the default values\n"
            )
        case [word, *_]:
            raise _Usage(f"invalid option {word}")
        case _:
            raise AssertionError(options)


def _set(options: list[str], daemon: Entropyd, now: float) -> str:
    if "--help" in options:
        return _set_help()
    values: dict[str, int] = {}
    resets: set[str] = set()
    for name, value in _pairs(options):
        if name == "reset":
            if value not in _RESETS:
                raise _Usage(f"--reset must be one of: {', '.join(_RESETS)}; not {value}")
            resets |= {_field(it) for it in (NAMES if value == "all" else (value,))}
        elif _field(name) in values:
            raise _Usage(f"--{name} is given twice")
        else:
            values[_field(name)] = _number(name, value)
    if not values and not resets:
        raise _Usage("give at least one option; see --help")
    both = sorted(resets & set(values))
    if both:
        raise _Usage(f"--{both[0].replace('_', '-')} cannot be set and reset at once")
    try:
        changed = replace(daemon.parameters.with_defaults(frozenset(resets)), **values)
    except ValueError as error:
        raise _Usage(str(error)) from None
    daemon.set_parameters(changed, now)
    return ""


def _pairs(options: list[str]) -> list[tuple[str, str]]:
    pairs = []
    rest = list(options)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in (*NAMES, "reset"):
            raise _Usage(f"invalid option {word}")
        if not equals:
            if not rest:
                raise _Usage(f"--{name} wants a value")
            value = rest.pop(0)
        pairs.append((name, value))
    return pairs


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]+", value):
        raise _Usage(f"--{name} must be a whole number, not {value}")
    low, high = RANGES[_field(name)]
    digits = value.lstrip("0") or "0"
    if len(digits) > len(str(high)):  # maybe more than Python would read
        raise _Usage(f"--{name} must be between {low} and {high}, and has {len(digits)} digits")
    return int(digits)


def _field(name: str) -> str:
    return name.replace("-", "_")


def _set_help() -> str:
    lines = ["Usage: esxcli system entropyd set [options]\n\n"]
    lines += [f"  --{name}=<value>  Set {about}\n" for name, (_, about) in NAMES.items()]
    lines.append(f"  --reset=<{'|'.join(_RESETS)}>  Take the default values again\n")
    return "".join(lines)
