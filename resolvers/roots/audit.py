"""The security officer's questions of the access log; each is recorded too (audit P6).

Persons are named as the log names them, by keyed tokens: an id number that is asked about
becomes tokens here and goes no further, and whom the officer asked about is in his own record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from adapters.contract import REGION, Bucket, Count, GroupKey, Measure
from authz.lens import Mode
from catalog.errors import BadUserInput, Forbidden
from resolvers.plan import Grouping
from resolvers.roots.citizens import id_number
from resolvers.roots.root import (
    ME,
    SELF,
    Args,
    Given,
    Root,
    Words,
    among,
    as_is,
    equals,
    given,
    moment,
    within,
)

SAMPLE = 100  # records of one spot check
TOP = 50  # persons of whom the log says most
TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_COORDINATE = re.compile(r"[A-Za-z]{1,40}\.[A-Za-z]{1,40}\Z")

DIMENSIONS: Mapping[str, GroupKey] = {
    "ACTOR": GroupKey("actor", "actor", Bucket.VALUE),
    "DAY": GroupKey("day", "day", Bucket.VALUE),
    "HOUR": GroupKey("hour", "hour", Bucket.VALUE),
    "TOWNSHIP": GroupKey("division", REGION, Bucket.TOWNSHIP),
    "KIND": GroupKey("kind", "kind", Bucket.VALUE),
    "OUTCOME": GroupKey("outcome", "outcome", Bucket.VALUE),
}
"""``AuditDimension`` -> the field of ``AuditSummary`` and the column of `audit_activity`."""
_EVENTS = Measure("events", Count.SUM, "events")
_SUBJECTS = Measure("subjects", Count.SUM, "subjects")
_PERSON = {"PERSON": GroupKey("person", "person", Bucket.VALUE)}
_SEEN_BY = (
    Measure("accounts", Count.DIFFERENT, "actor"),
    Measure("departments", Count.DIFFERENT, "actorOrg"),
    Measure("events", Count.ROWS),
)


def audit_events(args: Args) -> Root:
    """Events by who, where, what, when and which field was shown how."""
    return Root(
        "audit_event",
        Mode.LIST,
        (
            *equals(args, "idx", "filter", "idx"),
            *equals(args, "actor", "filter", "actor"),
            *equals(args, "actorOrg", "filter", "org"),
            *equals(args, "kind", "filter", "kind"),
            *equals(args, "outcome", "filter", "outcome"),
            *equals(args, "purpose", "filter", "purpose"),
            *equals(args, "caseRef", "filter", "caseRef"),
            *equals(args, "operation", "filter", "operation"),
            *equals(args, "requestId", "filter", "requestId"),
            *equals(args, "breakGlass", "filter", "breakGlass"),
            *within(args, "filter", "division", column="area"),
            *_between(args, "filter"),
            *_shown(args),
        ),
    )


def subject_access(args: Args) -> Root:
    """Who saw, or looked for, one person; newest first."""
    return Root(
        "audit_access",
        Mode.LIST,
        (Given("x__subject", among(8), ("of",), _tokens), *_between(args)),
        sought=_sought,
    )


def actor_activity(args: Args) -> Root:
    """What one account did, hour by hour; newest first."""
    return Root("audit_activity", Mode.LIST, (*equals(args, "actor", "actor"), *_between(args)))


def access_summary(args: Args) -> Root:
    """Events and persons counted by account, day, hour, township, kind and outcome."""
    by = tuple(str(dimension.value) for dimension in args["by"])
    group = Grouping("AuditDimension", by, DIMENSIONS, (_EVENTS, _SUBJECTS))
    conditions = (*equals(args, "actor", "filter", "actor"), *_between(args, "filter"))
    return Root("audit_activity", Mode.COUNT, conditions, group=group)


def top_subjects(args: Args) -> Root:
    """The persons that most accounts saw."""
    group = Grouping("AuditSubject", ("PERSON",), _PERSON, _SEEN_BY, most=TOP)
    seen = Given("how", "eq", (), _seen)
    return Root("audit_access", Mode.COUNT, (seen, *_between(args)), group=group)


def audit_alerts(args: Args) -> Root:
    """Alerts by state, rule and account; newest first."""
    return Root(
        "audit_alert",
        Mode.LIST,
        (
            *equals(args, "state", "filter", "state"),
            *equals(args, "rule", "filter", "rule"),
            *equals(args, "actor", "filter", "actor"),
        ),
    )


def audit_health(_args: Args) -> Root:
    """How far the log is, and how far what follows it."""
    return Root("audit_health", Mode.KEY)


def my_subject_access(args: Args) -> Root:
    """Who saw the citizen the portal speaks for; no argument says who that is."""
    return Root(
        "audit_own",
        Mode.LIST,
        (Given("x__subject", among(8), (ME,), _mine), *_between(args, column="x__ts")),
    )


def my_activity(args: Args) -> Root:
    """What the asking account did, newest first; no argument says whose."""
    mine = Given("actor", "eq", (SELF,), as_is)
    return Root("own_activity", Mode.LIST, (mine, *_between(args)))


def audit_proof(args: Args) -> Root:
    """One record with its proof."""
    return Root("audit_proof", Mode.KEY, equals(args, "idx", "idx"))


def spot_sample(_args: Args) -> Root:
    """Records drawn by a seed: the same seed and size give the same records to whoever checks."""
    return Root("audit_event", Mode.LIST, (Given("idx", among(SAMPLE), (), _drawn),))


# ---- values


def _between(args: Args, *path: str, column: str = "at") -> tuple[Given, ...]:
    """From `since` (included) to `until` (not included)."""
    found: list[Given] = []
    for name, op in (("since", "ge"), ("until", "lt")):
        if given(args, *path, name):
            found.append(Given(column, op, (*path, name), _instant))
    return tuple(found)


def _instant(value: Any, words: Words) -> int:
    """µs UTC of an ISO instant with its offset."""
    return int(moment(value, words).timestamp() * 1_000_000)


def _shown(args: Args) -> tuple[Given, ...]:
    """Records that showed a field, in any state or in one."""
    if given(args, "filter", "shown"):
        return (Given("body", "discloses", ("filter", "shown"), _disclosed),)
    return ()


def _disclosed(value: Mapping[str, Any], _words: Words) -> str:
    coordinate, state = str(value["field"]), value["state"].value
    if not _COORDINATE.match(coordinate):
        raise BadUserInput("字段须写成 Citizen.phone 的样子", reason="FIELD")
    return f'{state.lower()}."{coordinate}"'


def _seen(_args: Any, _words: Words) -> str:
    return "SEEN"


def _uid(of: Mapping[str, Any], words: Words) -> str:
    """``citizen_uid`` of the person asked about."""
    return words.uid(id_number(of["idNumber"], words))


def _token(of: Mapping[str, Any]) -> bytes | None:
    token = of.get("person")
    if token is None:
        return None
    if not TOKEN.match(str(token)):
        raise BadUserInput("人员代号须为 32 位十六进制", reason="PERSON")
    return bytes.fromhex(str(token))


def _tokens(of: Mapping[str, Any], words: Words) -> list[bytes]:
    """Every token the person may have in the log: one a key of the ring."""
    token = _token(of)
    return [token] if token is not None else words.tokens(_uid(of, words))


def _mine(uid: Any, words: Words) -> list[bytes]:
    if uid is None:
        raise Forbidden("请在 X-End-User 头中写明本人的标识", reason="END_USER")
    return words.tokens(str(uid))


def _sought(args: Args, words: Words) -> str | bytes:
    token = _token(args["of"])
    return token if token is not None else _uid(args["of"], words)


def _drawn(args: Mapping[str, Any], _words: Words) -> list[int]:
    """`count` different numbers below `size`, in the order a seed gives them."""
    count, size, seed = int(args["count"]), int(args["size"]), str(args["seed"])
    if not 1 <= count <= SAMPLE or size < 1:
        raise BadUserInput(f"每次抽 1 到 {SAMPLE} 条，日志须有记录", reason="SAMPLE")
    found: dict[int, None] = {}
    at = 0
    while len(found) < min(count, size):
        digest = hashlib.sha256(f"{seed}\n{size}\n{at}".encode()).digest()
        found[int.from_bytes(digest[:16], "big") % size] = None
        at += 1
    return list(found)
