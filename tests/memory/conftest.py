"""Looking into other processes' memory, which production forbids: this needs root."""

import contextlib
import os
import secrets

import pytest

from tests.daemon.conftest import vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.softhsm import SoftHsm
from tests.support.testtoken import LABEL, TestToken
from tests.support.twin import TwinProcess

HOSTS = 10


@pytest.fixture(autouse=True)
def _allowed():
    if os.geteuid() != 0:
        pytest.skip("only root reads the memory of a process that is not dumpable")


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    yield token
    token.close()


@contextlib.contextmanager
def feeding(token, directory, environment=None, **limits):
    """Run a bridge that feeds a twin's hosts over TLS from the test token, and is well into it."""
    with TwinProcess("--hosts", HOSTS, "--initial-level", 0.1) as twin:
        configuration = document(
            hsm_test={"module": token.module, "token_label": LABEL, "env": token.environment},
            vcenter_twin={**vcenter_table(twin), **limits},
        )
        with BridgeProcess(configuration, directory, environment) as bridge:
            wait_until(
                lambda: sum(it["received_bytes"] for it in twin.hosts().values()) > HOSTS * 200_000
            )
            yield bridge


def with_pin(directory):
    """Make a SoftHSM2 token; its PIN, which nobody has written anywhere else, and its settings."""
    softhsm = SoftHsm(directory)
    pin = secrets.token_hex(12)
    softhsm.add_token("entropy", pin)
    pin_file = directory / "pin"
    pin_file.write_text(pin + "\n")
    table = {
        "module": softhsm.module,
        "env": softhsm.environment,
        "token_label": "entropy",
        "pin_file": pin_file,
    }
    return pin, table
