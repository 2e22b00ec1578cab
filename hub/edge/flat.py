"""The flat face: an answer as a programmer without GraphQL expects it, an error as RFC 9457 has it.

    GraphQL  {"data": {"cases": …}, "errors": […], "extensions": {…}}
    flat     {"cases": …, "errors": […], "extensions": {…}}        what could not be had is null
    problem  {"type": "about:blank", "status": 403, "detail": …, "code": …, "reason": …}

Made of the payload the one door has made already: nothing is added, nothing looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

FLAT, TAGGED, CONTRACT = "flat", "tagged", "contract"
"""In place of a media type: an answer, one with an entity tag, the bare data of a description.

Whatever goes wrong is a problem.
"""
FACES = frozenset({FLAT, TAGGED, CONTRACT})
PROBLEM = "application/problem+json"


def flattened(face: str, status: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a GraphQL payload under this status."""
    if status != HTTPStatus.OK:
        return problem(status, payload)
    data = dict(payload["data"])
    if face == CONTRACT:
        return data
    return data | {key: payload[key] for key in ("errors", "extensions") if key in payload}


def problem(status: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The first error as a problem; `errors` all of them, if they are several."""
    first, *others = payload["errors"]
    told = {
        "type": "about:blank",  # then the title is the status's own words (RFC 9457, 4.2.1)
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": first["message"],
        **first["extensions"],
    }
    if others:
        told["errors"] = [first, *others]
    if "extensions" in payload:
        told["extensions"] = payload["extensions"]
    return told


def matches(header: str, etag: str) -> bool:
    """Does ``If-None-Match`` name this tag? Compared weakly (RFC 9110, 13.1.2)."""
    named = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in named or etag.removeprefix("W/") in named
