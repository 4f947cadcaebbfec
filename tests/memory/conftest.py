"""Looking into other processes' memory, which production forbids: this needs root."""

import os

import pytest

from tests.support.testtoken import TestToken


@pytest.fixture(autouse=True)
def _allowed():
    if os.geteuid() != 0:
        pytest.skip("only root reads the memory of a process that is not dumpable")


@pytest.fixture
def token(tmp_path):
    token = TestToken(tmp_path / "token")
    yield token
    token.close()
