"""The name of a request in its record, its log lines, its errors and its headers: 32 hex digits.

A caller's trace id (W3C Trace Context) is taken over, so that his request and ours are found
under one name; one that may hold an id number or a telephone is not. Else the name is 128
random bits.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

CURRENT: ContextVar[str] = ContextVar("hub.trace", default="")
"""The name of the request that is being answered; empty outside of one."""

LONGEST = 512  # characters of a traceparent; a version to come may be longer than today's 55
_TRACEPARENT = re.compile(
    r"[ \t]*(?!ff)([0-9a-f]{2})"  # the version; ff is none
    r"-(?!0{32})([0-9a-f]{32})"  # the trace
    r"-(?!0{16})[0-9a-f]{16}"  # the caller's span
    r"-[0-9a-f]{2}(-.*|[ \t]*)$"  # flags, and what a later version adds
)
_ID_NUMBER = re.compile(r"\d{17}[\dx]", re.IGNORECASE)
_TELEPHONE = re.compile(r"-(?=[0-9a-f]{16}-)[0-9a-f]*?(?<!\d)0*1\d{10}(?!\d)")
"""In the caller's span: it goes out with ours as their parent."""


def named(traceparent: str | None) -> str:
    """The caller's trace id, if he gave a valid one; else a new name."""
    return taken_over(traceparent) or os.urandom(16).hex()


def taken_over(traceparent: str | None) -> str:
    """The trace id of a ``traceparent`` header; empty if there is none that may be used."""
    if not traceparent or len(traceparent) > LONGEST or may_hold_person(traceparent):
        return ""
    found = _TRACEPARENT.match(traceparent)
    if found is None or (found[1] == "00" and found[3].strip(" \t")):
        return ""
    return found[2]


def may_hold_person(traceparent: str) -> bool:
    """May there be an id number in it, or a telephone in its span?

    The name of a request stands in every record and line, the caller's span in what is exported.
    """
    found = _ID_NUMBER.search(traceparent) or _TELEPHONE.search(traceparent)
    return found is not None
