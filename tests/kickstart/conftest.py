"""Payloads and kickstart files."""

import base64
import random
import subprocess
import sys
from dataclasses import dataclass

import pytest

from bridge.cli.main import main
from bridge.kickstart.limits import PAYLOAD_BYTES_MIN
from tests.support.testtoken import TestToken


@pytest.fixture(scope="session")
def raw():
    """Good bytes, as few as are allowed."""
    return random.Random(0).randbytes(PAYLOAD_BYTES_MIN)


@pytest.fixture(scope="session")
def text(raw):
    return base64.b64encode(raw)


@pytest.fixture(scope="session")
def kickstart(text):
    """The guide's example."""
    return (
        b"vmaccepteula\nrootpw xxxxxxxx \n"
        b"entropy --sources=8 --data=" + text + b"\n"
        b"install --firstdisk --overwritevmfs \nnetwork --bootproto=dhcp\n"
    )


@dataclass
class Run:
    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one line that went wrong, behind the warnings."""
        *warnings, line = self.err.splitlines()
        assert all(each.startswith("entropy-bridge: warning: ") for each in warnings)
        assert line.startswith("entropy-bridge: ")
        assert self.err.endswith("\n")
        return line.removeprefix("entropy-bridge: ")


@pytest.fixture
def command():
    """Runs `entropy-bridge kickstart …` as a user does."""

    def run(*words, **settings):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "bridge.cli", "kickstart", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            **settings,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def called(capsys):
    """Runs it in this process, which is faster; not for what would harden it."""

    def run(*words):
        code = main(["kickstart", *map(str, words)])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    yield token
    token.close()


@pytest.fixture
def hsm(token):
    """Options that choose the test token."""
    ((name, value),) = token.environment.items()
    return ["--module", token.module, "--env", f"{name}={value}"]


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"
