"""The log: structlog over the standard library, one event one line, no secret in any of them.

Set up once by the command that runs; everything that logs through structlog or through the
standard library ends here.
"""

import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, ExcInfo, Processor

from bridge.config import LogConfig, one_line

REDACTED = "(not shown)"

Stream = IO[str] | io.TextIOBase

_SECRET_WORDS = frozenset(
    {"authorization", "cookie", "credential", "passwd", "password", "pin", "secret", "session"}
)
_PATH_WORDS = frozenset({"file", "path"})
_SYSLOG = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_FRAMES_SHOWN = 4
_DEPTH_MAX = 6


def set_up(config: LogConfig, stream: Stream | None = None) -> None:
    """Send every log event to `stream` in the configured form.

    Without a stream it goes where it went before, and at first to standard error.
    """
    root = logging.getLogger()
    if stream is None:
        before = (it.stream for it in root.handlers if isinstance(it, _Handler))
        stream = next(before, sys.stderr)
    to_journal = config.format == "text" and _is_journal(stream)
    own: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        *([] if to_journal else [structlog.processors.TimeStamper("iso", utc=True, key="time")]),
        exception_in_one_line,
        redact,
    ]
    renderer: Processor = _json if config.format == "json" else _Text(syslog_prefix=to_journal)
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=own,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root.handlers = [handler]
    root.setLevel(config.level.upper())
    for library in ("aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *own,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def silence() -> None:
    """Log nothing from now on: a command that says itself what there is to say."""
    set_up(LogConfig())
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.CRITICAL + 1)


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace secrets, and bytes of any kind, by a word that says that something was there."""
    return {key: _redacted(key, value, 0) for key, value in event.items()}


def exception_in_one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace a traceback by what was raised and the innermost places that it came through."""
    exc_info: object = event.pop("exc_info", None)
    if not exc_info:
        return event
    if isinstance(exc_info, BaseException):
        found: ExcInfo | tuple[None, None, None]
        found = (type(exc_info), exc_info, exc_info.__traceback__)
    elif isinstance(exc_info, tuple):
        found = exc_info
    else:
        found = sys.exc_info()
    if found[1] is not None:
        event["error"] = f"{type(found[1]).__name__}: {found[1]}"
        event["at"] = _places(found[2])
    return event


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)[-_FRAMES_SHOWN:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def _redacted(key: str, value: object, depth: int) -> object:
    if isinstance(value, SecretStr) or _names_a_secret(key):
        return REDACTED
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"({len(value)} bytes)"
    if isinstance(value, (Mapping, list, tuple)):
        if depth == _DEPTH_MAX:
            return "…"
        if isinstance(value, Mapping):
            return {str(k): _redacted(str(k), v, depth + 1) for k, v in value.items()}
        return [_redacted("", item, depth + 1) for item in value]
    return value


def _names_a_secret(key: str) -> bool:
    words = key.lower().replace("-", "_").split("_")
    return not _SECRET_WORDS.isdisjoint(words) and words[-1] not in _PATH_WORDS


def _json(_logger: object, _method: str, event: EventDict) -> str:
    first = {key: event[key] for key in ("time", "level", "event") if key in event}
    return json.dumps({**first, **event}, default=str, ensure_ascii=False)


class _Text:
    """Renders `TIME level event key=value …`."""

    def __init__(self, *, syslog_prefix: bool) -> None:
        self._syslog_prefix = syslog_prefix

    def __call__(self, _logger: object, _method: str, event: EventDict) -> str:
        level = str(event.pop("level", "info"))
        words = [str(event.pop("time")), level] if "time" in event else []
        words.append(one_line(str(event.pop("event", ""))))
        words += [f"{one_line(key)}={_value(value)}" for key, value in event.items()]
        prefix = f"<{_SYSLOG.get(level, 6)}>" if self._syslog_prefix else ""
        return prefix + " ".join(words)


def _value(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
    if not text or any(c in ' "=' for c in text):
        return '"' + text.replace('"', "'") + '"'
    return text


class _Handler(logging.StreamHandler[Stream]):
    """Writes to a stream; when nobody reads it any more, the bridge goes on without a log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Say nothing: there is no place left to say it."""


def _is_journal(stream: Stream) -> bool:
    # systemd.exec(5): device and inode of the stream that is connected to the journal
    try:
        info = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"
