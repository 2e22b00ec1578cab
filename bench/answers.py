"""Whether two systems answered the same: equal rows in equal order, field by field.

Times are compared as instants: systems differ in how they write them, not in what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")


def differences(ours: Any, theirs: Any, at: str = "data") -> Iterator[str]:
    """Where two answers differ, one place each: ``data.cases.nodes.3.state``. Never a value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            if (key in ours) != (key in theirs):
                yield f"{at}.{key}"
            else:
                yield from differences(ours[key], theirs[key], f"{at}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{at} has {len(ours)} and {len(theirs)}"
        for number, (a, b) in enumerate(zip(ours, theirs, strict=False)):
            yield from differences(a, b, f"{at}.{number}")
    elif _plain(ours) != _plain(theirs):
        yield at


def rows(answer: Any) -> int:
    """How many objects an answer holds."""
    if isinstance(answer, dict):
        return 1 + sum(rows(value) for value in answer.values())
    return sum(rows(value) for value in answer) if isinstance(answer, list) else 0


def _plain(value: Any) -> Any:
    if isinstance(value, str) and _TIME.match(value):
        return datetime.fromisoformat(value)
    return value
