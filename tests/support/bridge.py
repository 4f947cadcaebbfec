"""The bridge as a process of its own, as `entropy-bridge run` starts it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DEADLINE_SECONDS = 60.0


def toml(value: object) -> str:
    """Write a TOML value; a JSON string, number, array or boolean is one."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(it)}" for key, it in value.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def document(**tables: dict[str, Any]) -> str:
    """Write a configuration: hsm_NAME and vcenter_NAME become [hsm.NAME] and [vcenter.NAME]."""
    text = ""
    for name, table in tables.items():
        text += f"[{name.replace('_', '.', 1)}]\n"
        text += "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
    return text


class BridgeProcess:
    """`with BridgeProcess(configuration_text, directory) as bridge:`; SIGTERM at the end."""

    def __init__(
        self, configuration: str, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.config = directory / "bridge.toml"
        self.config.write_text(configuration)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "bridge.cli",
                "run",
                "--json",
                "--config",
                str(self.config),
            ],
            stderr=self._log,
            cwd=directory,
            env={**os.environ, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if kind is not None:
            sys.stderr.write(self.text()[-4000:])
        self._log.close()

    def stop(self) -> int:
        """Ask it to end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)

    def reload(self, configuration: str) -> dict[str, Any]:
        """Give it another configuration; the event that says what came of it."""
        n_before = len(self._reloads())
        self.config.write_text(configuration)
        self.process.send_signal(signal.SIGHUP)
        return wait_until(lambda: self._reloads()[n_before:])[0]

    def _reloads(self) -> list[dict[str, Any]]:
        return [event for event in self.events() if "reload" in event["event"]]

    def text(self) -> str:
        """What it wrote to standard error so far."""
        self._log.seek(0)
        return self._log.read().decode()

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Its log so far, or the events of one name."""
        whole = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [event for event in whole if name in (None, event["event"])]

    def status(self, port: int, path: str = "status.json") -> Any:
        """Read the status page's JSON."""
        return json.loads(self.page(port, path))

    def page(self, port: int, path: str) -> str:
        """Read what the status page's server has at a path."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as reply:
            return reply.read().decode()


def wait_until(condition: Any, seconds: float = DEADLINE_SECONDS, pause: float = 0.1) -> Any:
    """Ask until the answer is true; it, or AssertionError when the time is over."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)
    return answer
