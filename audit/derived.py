"""What is read off a record's body: the columns people search by, and the subject index.

The writer fills the columns from here, `index.py` the index, and verify compares both with
what this gives again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from audit.subjects import seen_count, seen_tokens

_AS_IT_IS = {  # column: field of the body; an absent one is NULL
    "idx": "idx",
    "id": "id",
    "ts": "ts",
    "writer": "writer",
    "wseq": "wseq",
    "kind": "kind",
    "outcome": "outcome",
    "decision_code": "code",
    "actor": "actor",
    "actor_org": "org",
    "actor_role": "role",
    "actor_area": "post_area",
    "client_app": "client",
    "src_ip": "ip",
    "session": "session",
    "request_id": "request",
    "trace_id": "trace",
    "purpose": "purpose",
    "legal_basis": "basis",
    "case_ref": "case",
    "area": "area",
    "policy_rev": "policy",
}
_FIELDS = tuple(_AS_IT_IS.values())
_MADE = ("op_name", "op_hash", "row_count", "subject_count", "break_glass", "part", "parts")

COLUMNS = (*_AS_IT_IS, *_MADE)
SUBJECT_COLUMNS = ("subject", "key_ver", "idx", "how")


def columns(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Values of `COLUMNS`. AttributeError or TypeError if the body has not a record's shape."""
    op = body.get("op", {})
    return (
        *map(body.get, _FIELDS),
        op.get("name"),
        op.get("hash"),
        body.get("rows", 0),
        seen_count(body),
        body.get("break_glass", False),
        body.get("part", 1),
        body.get("parts", 1),
    )


def index_rows(body: Mapping[str, Any]) -> Iterator[tuple[bytes, int, int, str]]:
    """Rows of `audit_subject`: (subject, key_ver, idx, how). Seen wins over sought."""
    sought = dict.fromkeys(map(bytes.fromhex, body.get("sought", ())), "SOUGHT")
    for token, how in (sought | dict.fromkeys(seen_tokens(body), "SEEN")).items():
        yield token, body["key_ver"], body["idx"], how
