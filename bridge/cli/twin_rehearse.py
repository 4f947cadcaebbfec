"""`entropy-bridge twin rehearse`: the real bridge through a scenario, and a verdict."""

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError

from bridge.cli.arguments import CONFIG_PATH
from bridge.cli.errors import Code, CommandError, UsageError
from bridge.cli.output import console, print_json, warn
from bridge.cli.rehearse_view import Rehearsed, Watch, shown
from bridge.config import BridgeConfig, ConfigError, HsmConfig, check_hsm_files, load
from bridge.daemon.demo_twin import TwinFailed
from bridge.daemon.exits import Exit
from bridge.daemon.rehearse import (
    GateStep,
    Played,
    Rehearsal,
    RehearsalEnded,
    RehearsalInterrupted,
    rehearse,
)
from bridge.daemon.rehearse_config import is_soft, rehearsal_hsms
from bridge.telemetry import log
from bridge.twin.scenario import Scenario
from bridge.twin.scenario_file import load_scenario, problems_of
from bridge.twin.scenario_report import PlayOrder, PlayReport
from bridge.twin.scenario_verdict import BridgeBooks, judge


def main(arguments: argparse.Namespace) -> int:
    """Rehearse; 0 when the scenario was passed, 1 when not."""
    if arguments.worst < 0:
        raise UsageError("--worst must be 0 or more")
    scenario = _scenario(arguments)
    config = _config(arguments)
    hsms = rehearsal_hsms(config, soft_token=arguments.soft_token, speed=1.0)
    _check_files(hsms, config.state_dir, arguments.config)
    soft = all(is_soft(it) for it in hsms)
    speed = _speed(arguments.speed, scenario, soft=soft)
    if arguments.log:
        log.set_up(config.log, sys.stderr)
    else:
        log.silence()
    rehearsal = Rehearsal(
        config=config,
        soft_token=arguments.soft_token,
        order=PlayOrder(scenario=scenario, speed=speed, sites=max(1, len(config.vcenter))).line(),
        speed=speed,
        gate=_gate(scenario, speed),
    )
    try:
        with Watch(scenario, mute=arguments.json) as watch:
            played = rehearse(rehearsal, watch.show)
    except RehearsalInterrupted as error:
        raise CommandError(str(error), Code.INTERRUPTED) from None
    except RehearsalEnded as error:
        bad = error.exit_code == Exit.CONFIGURATION
        raise CommandError(str(error), Code.USAGE if bad else Code.FAILURE) from None
    except TwinFailed as error:
        raise CommandError(str(error)) from None
    result = _result(scenario, played, speed, soft=soft)
    if arguments.json:
        print_json(result.document())
    else:
        console().print(shown(result, arguments.worst))
    return Code.OK if result.passed else Code.FAILURE


def _scenario(arguments: argparse.Namespace) -> Scenario:
    scenario = load_scenario(arguments.scenario)
    if arguments.hosts is None and arguments.seed is None:
        return scenario
    try:
        return scenario.resized(hosts=arguments.hosts, seed=arguments.seed)
    except ValidationError as error:
        problem = problems_of(error).problems[0]
        option = "--seed" if problem.key == "fleet.seed" else "--hosts"
        raise UsageError(f"{option}: {problem.text}") from None


def _config(arguments: argparse.Namespace) -> BridgeConfig:
    path: Path | None = arguments.config
    if path is None:
        if CONFIG_PATH.exists():
            arguments.config = path = CONFIG_PATH
        elif arguments.soft_token:
            return BridgeConfig()
        else:
            raise UsageError("whose configuration? name it with --config, or use --soft-token")
    return load(path)


def _check_files(hsms: list[HsmConfig], state_dir: Path | None, path: Path | None) -> None:
    try:
        for hsm in hsms:
            check_hsm_files(hsm, warn, state_dir=state_dir)
    except ConfigError as error:
        raise (error.within(path) if path else error) from None


def _speed(given: float | None, scenario: Scenario, *, soft: bool) -> float:
    if given is None:
        return scenario.speed if soft else 1.0
    if not 1 <= given <= scenario.most_speed:
        raise UsageError(
            f"--speed must be between 1 and {scenario.most_speed:g}, a third of the hosts' "
            "inactive_source_timeout"
        )
    return given


def _gate(scenario: Scenario, speed: float) -> list[GateStep]:
    steps = []
    for step in scenario.hsm:
        rate = scenario.hsm_bytes_per_second(step)
        real = None if rate is None else rate * speed
        steps.append(GateStep(step.at_seconds / speed, real))
    return steps


def _result(scenario: Scenario, played: Played, speed: float, *, soft: bool) -> Rehearsed:
    report = PlayReport.model_validate_json(played.report)
    account = played.account
    books = BridgeBooks(
        delivered_bytes=account.delivered,
        refused_bytes=account.refused,
        unknown_bytes=account.unknown,
        account_closes=account.closes,
        looks_overdue_seconds=played.looks_overdue_seconds * speed,
    )
    return Rehearsed(
        scenario=scenario,
        speed=speed,
        soft=soft,
        seconds=played.seconds,
        hosts=report.hosts,
        n_requests=report.n_requests,
        books=books,
        account=account,
        findings=tuple(judge(scenario.criteria, report.hosts, books)),
    )
