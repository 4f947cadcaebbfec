"""A twin in a process of its own, and its admin endpoints, for tests of every room."""

import json
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class TwinProcess:
    """`with TwinProcess("--hosts", 300, "--record", path) as twin:`; ends with the block.

    A host that runs dry waits and goes on, unless `exhaustion` says what else becomes of it.
    """

    def __init__(self, *arguments: object, exhaustion: str = "tolerated") -> None:
        command = [sys.executable, "-m", "bridge.twin", "--json", "--exit-with-stdin"]
        command += ["--reading", f"exhaustion={exhaustion}"]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the twin did not start: exit code {self.process.returncode}")
        shown = json.loads(line)
        self.url: str = shown["url"]
        self.ca_file = Path(shown["ca_file"]) if shown["ca_file"] else None
        self.username: str = shown["username"]
        self.password: str = shown["password"]
        self.password_file = Path(shown["password_file"])
        self._admin_token: str = shown["admin_token"]
        self._tls = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """End the process as its lifeline does and return its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(20)
        self.process.stdout.close()
        return code

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Call an endpoint under /twin and return its JSON."""
        request = urllib.request.Request(
            f"{self.url}/twin/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._admin_token}"},
        )
        with urllib.request.urlopen(request, context=self._tls, timeout=20) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def state(self) -> dict[str, Any]:
        """Return counts, sessions and hosts."""
        return self.admin("GET", "hosts")

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Return every host's state by identifier."""
        return {it["host"]: it for it in self.state()["hosts"]}

    def change_host(self, host: str, **change: object) -> dict[str, Any]:
        """Change level, drain, status, connection, power or cluster of a host."""
        return self.admin("POST", f"hosts/{host}", change)

    def add_host(self, cluster: str, **change: object) -> str:
        """Put another host into a cluster; its identifier."""
        return self.admin("POST", "hosts", {"cluster": cluster, **change})["host"]

    def remove_host(self, host: str) -> None:
        """Take a host out of the inventory."""
        self.admin("DELETE", f"hosts/{host}")

    def esxcli(self, host: str, *arguments: str) -> tuple[int, str]:
        """Run esxcli on a host and return its exit code and output."""
        reply = self.admin("POST", f"hosts/{host}/esxcli", {"arguments": list(arguments)})
        return reply["exit_code"], reply["output"]

    def set_faults(self, *rules: dict[str, object]) -> None:
        """Let exactly these fault rules be in force."""
        self.admin("PUT", "faults", list(rules))

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules in force with how often each struck."""
        return self.admin("GET", "faults")

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Return what the hosts logged."""
        return self.admin("GET", f"events?since={since}")

    def expire_sessions(self) -> int:
        """End all sessions and return how many there were."""
        return self.admin("DELETE", "sessions")["expired"]

    def jump(self, seconds: float) -> None:
        """Move the twin's time forward."""
        self.admin("POST", "clock", {"jump_seconds": seconds})
