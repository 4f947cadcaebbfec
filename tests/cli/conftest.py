import subprocess
import sys
from dataclasses import dataclass

import pytest

from bridge.cli.main import main


@dataclass
class Run:
    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one line that the command said went wrong."""
        assert "Traceback" not in self.err
        assert self.err.startswith("entropy-bridge: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        return self.err.removeprefix("entropy-bridge: ").rstrip("\n")


@pytest.fixture
def command(monkeypatch):
    """Runs `entropy-bridge …` as a user does."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    def run(*words, **settings):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "bridge.cli", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **settings,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def called(capsys):
    """Runs `entropy-bridge …` in this process, which is faster."""

    def run(*words):
        code = main([*map(str, words)])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run
