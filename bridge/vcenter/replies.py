"""What an HTTP reply means: its limits, its JSON, its error body, and how long to wait."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic_core import from_json

from bridge.config import one_line

RETRY_AFTER_SECONDS_MAX = 3600.0
TEXT_CHARACTERS_MAX = 200


class MalformedError(Exception):
    """A reply is not what it should be; its text says in what, without quoting it."""


@dataclass(slots=True, repr=False)  # not frozen, which would cost more than all the rest of it
class Reply:
    """A status, and as much of the rest as came; `payload` may hold a secret."""

    status: int
    payload: bytes = b""
    headers: Mapping[str, str] | None = None  # any case; those that nobody asks for may be missing
    trouble: Exception | None = None  # why the payload is not whole
    too_large: bool = False  # the payload, which is empty then
    early: bool = False  # it came before the request had been handed to the transport

    def json(self) -> object:
        """Decode the payload; raises MalformedError."""
        try:
            # of strings only keys may be cached: a value may be a session id
            return from_json(self.payload, allow_inf_nan=False, cache_strings="keys")
        except ValueError:
            raise MalformedError("it is not JSON") from None

    @property
    def retry_after_seconds(self) -> float | None:
        """How long it asks to be left alone."""
        return None if self.headers is None else retry_after_seconds(self.headers)

    @property
    def location(self) -> str | None:
        """Where it redirects to."""
        return None if self.headers is None else self.headers.get("Location")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What vCenter says of an error; all empty when the reply did not come from vCenter itself."""

    error_type: str | None = None
    message_ids: tuple[str, ...] = ()
    text: str = ""
    from_vcenter: bool = False


def error_body(payload: bytes) -> ErrorBody:
    """Read an error body, however little of it is as it should be."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return ErrorBody()
    if not isinstance(value, dict):
        return ErrorBody()
    error_type = value.get("error_type")
    raw = value.get("messages")
    messages = [m for m in raw if isinstance(m, dict)] if isinstance(raw, list) else []
    ids = tuple(m["id"] for m in messages if isinstance(m.get("id"), str))
    texts = [m["default_message"] for m in messages if isinstance(m.get("default_message"), str)]
    return ErrorBody(
        error_type=short(error_type) if isinstance(error_type, str) else None,
        message_ids=ids,
        text=short(texts[0]) if texts else "",
        from_vcenter=isinstance(error_type, str) or isinstance(raw, list),
    )


def short(text: str) -> str:
    """Make a foreign text fit into one line."""
    text = one_line(" ".join(text.split()))
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds or as a date, which is compared with the reply's own."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        until = _date(value)
        if until is None:
            return None
        now = _date(headers.get("Date", "")) or datetime.now(UTC)
        seconds = (until - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter from days and hours without end
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
