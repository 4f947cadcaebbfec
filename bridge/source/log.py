# SPDX-License-Identifier: Apache-2.0
"""What a source logs to: structlog's bound logger, or nothing."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Takes one event with its fields."""

    def info(self, event: str, **fields: object) -> object:
        """Log what is expected."""

    def warning(self, event: str, **fields: object) -> object:
        """Log what an operator should see."""

    def error(self, event: str, **fields: object) -> object:
        """Log what an operator has to act on."""


class Silent:
    """Logs nothing: a one-shot command raises instead."""

    def info(self, event: str, **fields: object) -> None:
        """Log nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Log nothing."""

    def error(self, event: str, **fields: object) -> None:
        """Log nothing."""
