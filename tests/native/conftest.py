from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.testtoken import PIN, TestToken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestToken]:
    """A test token of its own, for sources in this process."""
    token = TestToken(tmp_path / "token")
    for name, value in token.environment.items():
        monkeypatch.setenv(name, value)
    yield token
    token.close()


@pytest.fixture
def pin_path(tmp_path: Path) -> Path:
    """A file with the test token's PIN."""
    path = tmp_path / "pin"
    path.write_text(PIN)
    return path
