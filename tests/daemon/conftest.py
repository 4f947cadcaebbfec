import socket

import pytest

from tests.support.bridge import document
from tests.support.softhsm import PIN, SoftHsm
from tests.support.testtoken import LABEL, TestToken
from tests.support.twin import TwinProcess


@pytest.fixture(scope="module")
def twin():
    with TwinProcess("--hosts", 20, "--initial-level", 0.3) as twin:
        yield twin


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    yield token
    token.close()


@pytest.fixture
def tokens(tmp_path):
    tokens = [TestToken(tmp_path / name) for name in ("one", "two")]
    yield tokens
    for token in tokens:
        token.close()


@pytest.fixture
def unused_ports():
    """Two ports that are free now."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def test_token_table(token):
    return {"module": token.module, "token_label": LABEL, "env": token.environment}


@pytest.fixture
def softhsm_table(tmp_path):
    softhsm = SoftHsm(tmp_path)
    softhsm.add_token("entropy")
    pin = tmp_path / "pin"
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    return {
        "module": softhsm.module,
        "token_label": "entropy",
        "env": softhsm.environment,
        "pin_file": pin,
    }


def vcenter_table(twin, **settings):
    return {
        "url": twin.url,
        "username": twin.username,
        "password_file": twin.password_file,
        "ca_file": twin.ca_file,
        **settings,
    }


def configuration(hsm, twin, port=None, **vcenter):
    tables = {"hsm_one": hsm, "vcenter_twin": vcenter_table(twin, **vcenter)}
    if port is not None:
        tables["status"] = {"listen": f"127.0.0.1:{port}"}
    return document(**tables)
