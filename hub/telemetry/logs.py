"""Logs as JSON lines with the trace id; no personal data, whatever a library writes.

Two belts: errors are logged by their type and place, never by their text, since drivers
quote values in it; and what looks like an id number or a telephone is blotted out of every
value that is left.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from traceback import extract_tb
from typing import Any, TextIO

import structlog

from hub.telemetry.trace import CURRENT

BLOT = "[已隐去]"
DEEPEST = 5  # frames of an error that are worth a line
# They would write addresses, SQL, tokens, paths.
QUIET = (
    "alembic",
    "httpx",
    "httpcore",
    "asyncio",
    "aiosqlite",
    "sqlalchemy",
    "authlib",
    "hub.websocket",
)
MUTE = ("opentelemetry", "urllib3", "requests")
"""Exporters tell addresses and what collectors say; `exporting.py` says it once, without either."""
NAMES_OF_REQUESTS = ("trace_id", "request_id")  # random hex may look like a telephone

_PERSONAL = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\d{15}|1\d{10})(?!\d)")

Event = MutableMapping[str, Any]


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send our log and the libraries' to `stream` (default: standard error)."""
    out = stream or sys.stderr
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        _name_error,
        _blot,
    ]
    structlog.configure(
        processors=[*chain, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(chain))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in MUTE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _formatter(chain: list[Any]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*chain[:3], structlog.stdlib.ExtraAdder(), *chain[3:]],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        keep_exc_info=False,
        keep_stack_info=False,
    )


def _add_trace(_logger: object, _method: str, event: Event) -> Event:
    name = CURRENT.get()
    if name:
        event["trace_id"] = name
    return event


def _name_error(_logger: object, _method: str, event: Event) -> Event:
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        frames = extract_tb(error.__traceback__)[-DEEPEST:]
        event["error"] = type(error).__name__
        event["where"] = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
    return event


def _blot(_logger: object, _method: str, event: Event) -> Event:
    return {str(k): v if k in NAMES_OF_REQUESTS else _blotted(v) for k, v in event.items()}


def _blotted(value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if not _PERSONAL.search(str(value)) else BLOT
    if isinstance(value, dict):
        return {_blotted(str(key)): _blotted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_blotted(inner) for inner in value]
    return _PERSONAL.sub(BLOT, str(value))
