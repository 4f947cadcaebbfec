"""Which HSM a command means: a module on the command line, or one of the configuration."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from bridge.cli.arguments import CONFIG_PATH
from bridge.cli.errors import UsageError
from bridge.cli.output import warn
from bridge.config import ConfigError, HsmConfig, check_hsm_files, load
from bridge.config.load import check

_NAME = "module"
_SETTINGS = ("token_label", "serial", "slot", "pin_file", "init_args", "call_bytes")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which module, and which of its tokens."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--module", metavar="PATH", help="the vendor's PKCS#11 library")
    where.add_argument(
        "--soft-token", action="store_true", help="the one that comes along, which is not an HSM"
    )
    where.add_argument(
        "--config", type=Path, metavar="FILE", help=f"an HSM of a configuration ({CONFIG_PATH})"
    )
    parser.add_argument("--hsm", metavar="NAME", help="which [hsm.NAME] of the configuration")
    parser.add_argument("--token-label", metavar="TEXT", help="with --module: the token's label")
    parser.add_argument("--serial", metavar="TEXT", help="with --module: the token's serial number")
    parser.add_argument("--slot", type=int, metavar="ID", help="with --module: the slot's id")
    parser.add_argument("--pin-file", metavar="FILE", help="with --module: where the PIN is")
    parser.add_argument("--init-args", metavar="TEXT", help="with --module: for C_Initialize")
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with --module: what the module wants in its environment; may be repeated",
    )


@dataclass(frozen=True)
class ChosenHsm:
    """An HSM, where refused PINs of it are remembered, and how to call it in a message."""

    config: HsmConfig
    state_dir: Path | None
    called: str

    def said(self, error: Exception) -> str:
        """Return what is wrong with it."""
        text = str(error).removeprefix(f"hsm.{self.config.name}: ")
        return text if text.startswith(self.called) else f"{self.called}: {text}"


def chosen_hsm(arguments: argparse.Namespace) -> ChosenHsm:
    """Return the HSM that is meant, with its files checked."""
    if arguments.module is not None or arguments.soft_token:
        if arguments.hsm is not None:
            raise UsageError("--hsm chooses from a configuration; leave it out, or use --config")
        return _from_words(arguments)
    given = [name for name in (*_SETTINGS, "env") if getattr(arguments, name, None)]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{option} goes with --module; the configuration has it in [hsm.NAME]")
    path = arguments.config
    if path is None:
        if not CONFIG_PATH.exists():
            raise UsageError("which HSM? name a module with --module, or a file with --config")
        path = CONFIG_PATH
    return _from_config(path, arguments.hsm)


def _from_config(path: Path, name: str | None) -> ChosenHsm:
    config = load(path, need=["hsm"])
    if name is None and len(config.hsm) > 1:
        raise UsageError(f"{path} has several HSMs; choose with --hsm {'|'.join(config.hsm)}")
    hsm = next(iter(config.hsm.values())) if name is None else config.hsm.get(name)
    if hsm is None:
        raise UsageError(f"{path} has no [hsm.{name}]; it has {', '.join(config.hsm)}")
    try:
        check_hsm_files(hsm, warn, state_dir=config.state_dir)
    except ConfigError as error:
        raise error.within(path) from None
    return ChosenHsm(hsm, config.state_dir, f"hsm.{hsm.name}")


def _from_words(arguments: argparse.Namespace) -> ChosenHsm:
    table: dict[str, object] = {
        name: value for name in _SETTINGS if (value := getattr(arguments, name, None)) is not None
    }
    table["module"] = arguments.module
    if arguments.soft_token:
        from bridge.native import softtoken_path  # noqa: PLC0415 (the native library)

        table |= {"module": str(softtoken_path()), "allow_soft_token": True}
    table["env"] = dict(_variable(word) for word in arguments.env)
    try:
        config = check({"hsm": {_NAME: table}}, folder=Path.cwd())
        hsm = config.hsm[_NAME]
        check_hsm_files(hsm, _warn_of_option, state_dir=config.state_dir)
    except ConfigError as error:
        problem = error.problems[0]
        raise UsageError(_as_option(problem.key, "", problem.text)) from None
    return ChosenHsm(hsm, config.state_dir, str(hsm.module))


def _warn_of_option(text: str) -> None:
    warn(_as_option(*text.partition(": ")))


def _as_option(key: str, _: str, text: str) -> str:
    """Say of an option what was said of a setting."""
    if key == "state_dir":
        return f"$STATE_DIRECTORY: {text}"
    option = key.removeprefix(f"hsm.{_NAME}").removeprefix(".").replace("_", "-")
    return f"--{option} {text}" if option else text


def _variable(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise UsageError(f"--env wants NAME=VALUE, not {word!r}")
    return name, value
