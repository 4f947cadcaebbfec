# SPDX-License-Identifier: Apache-2.0
"""A token measured by a process of its own."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from bridge.source.ending import died
from bridge.source.errors import SourceError, SourceFailed, SourceMisconfigured
from bridge.source.exits import Exit
from bridge.source.latch import PinLatch
from bridge.source.logins import NO_TURN
from bridge.source.probe_report import ProbeReport
from bridge.source.process import READ_BYTES, child_command, child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bridge.config import HsmConfig

_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 10.0
_MISCONFIGURED = frozenset({Exit.MODULE, Exit.TOKEN_AMBIGUOUS, Exit.PIN_FILE})


def probe_token(
    config: HsmConfig,
    *,
    seconds: float,
    progress: Callable[[int, int, str], None],
    state_dir: Path | None = None,
) -> ProbeReport:
    """Measure the token, `seconds` for each length and number of sessions.

    Raises SourceRefused, SourceMisconfigured or SourceFailed. Blocks; Ctrl-C ends both processes, a
    login that is under way permitting.
    """
    pin_path = config.pin_path()
    latch = PinLatch(state_dir, config.name)
    if pin_path is not None:
        latch.check()
    order = {
        "parent_pid": os.getpid(),
        "module": str(config.module),
        "init_args": config.init_args,
        "token_label": config.token_label,
        "serial": config.serial,
        "slot": config.slot,
        "pin_path": None if pin_path is None else str(pin_path),
        "seconds": seconds,
    }
    answers: dict[str, Any] = {}
    patience = max(config.start_timeout_seconds, config.call_timeout_seconds + seconds)
    with _child(order, child_environment(config.env)) as child:
        reason = ""
        try:
            for line in _lines(child, patience):
                answers.update(line)
                if line.get("login") and pin_path is not None:
                    answers["login"] = False  # so far
                    _take_turn(latch, pin_path, config.start_timeout_seconds)
                    answers["login"] = _let_log_in(child, latch)
                elif "login" in line and "error" not in line:
                    latch.withdraw()
                if "progress" in line:
                    progress(*line["progress"])
        except TimeoutError:
            reason = f"no answer within {patience:g} s"
        except BaseException:  # Ctrl-C
            if answers.get("login"):
                _see_login_end(child, answers, latch)
            raise
        finally:
            child.kill()
    if "report" in answers:
        return ProbeReport.from_record(answers["report"])
    raise _failure(answers, reason or f"the process {died(child.returncode)}", latch)


def _failure(answers: Mapping[str, Any], reason: str, latch: PinLatch) -> SourceError:
    """Say why there is no report, and note it if it was the PIN, before others may log in."""
    reason = str(answers.get("error") or reason)
    if answers.get("login"):
        reason += ", in the middle of C_Login"
    error: SourceError
    if answers.get("login") or answers.get("exit") == Exit.PIN_REFUSED:
        error = latch.set(reason)
    elif answers.get("exit") in _MISCONFIGURED:
        error = SourceMisconfigured(reason)
    else:
        error = SourceFailed(reason)
    latch.withdraw()
    return error


def _see_login_end(
    child: subprocess.Popen[bytes], answers: dict[str, Any], latch: PinLatch
) -> None:
    """Wait a moment for the end of a login, and note it: to cut it off counts as a refused PIN."""
    with suppress(TimeoutError):
        for line in _lines(child, _GRACE_SECONDS):
            answers.update(line)
            if not answers["login"]:
                break
    _failure(answers, "interrupted", latch)


def _child(order: Mapping[str, object], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(  # noqa: S603
        child_command("bridge.source.probe_child"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what the HSM's code prints
        bufsize=0,
        env=environment,
    )
    with suppress(BrokenPipeError):  # it has died already, which will show
        _stream(child.stdin).write(json.dumps(order).encode() + b"\n")
    return child


def _lines(child: subprocess.Popen[bytes], patience_seconds: float) -> Iterator[dict[str, Any]]:
    """Give what the child says, until it ends; TimeoutError when it says nothing for so long."""
    stream = _stream(child.stdout)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(patience_seconds):
                raise TimeoutError
            data = stream.read(READ_BYTES)
            if not data:
                child.wait()
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(json.loads, lines)


def _take_turn(latch: PinLatch, pin_path: Path, patience_seconds: float) -> None:
    """Wait until nobody else logs in with this PIN, and announce it; SourceRefused: never again."""
    end = time.monotonic() + patience_seconds
    while not latch.announce(pin_path):
        if time.monotonic() > end:
            raise SourceFailed(NO_TURN)
        time.sleep(_LOOK_SECONDS)


def _let_log_in(child: subprocess.Popen[bytes], latch: PinLatch) -> bool:
    """Say to the child that it may; False if it has died meanwhile."""
    try:
        _stream(child.stdin).write(b"\n")
    except BrokenPipeError:
        latch.withdraw()
        return False
    return True


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the child has no such stream")
    return stream
