"""Events of OCSF 1.9.0: each class with what the schema requires of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit.drill import made
from audit.ocsf import VERSION, event
from audit.record import Kind

LOG = "demo.invalid/hub/test/sha256"
READ = made(60).bodies[5]
REQUIRED = {
    6005: ("actor", "src_endpoint", "database"),
    6003: ("actor", "src_endpoint", "api"),
    3002: ("user", "service"),
    3004: ("entity",),
    3007: ("user",),
    2004: ("finding_info",),
    6002: ("application",),
    0: (),
}
EVERY = ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid")


def told(kind: str = "READ", **changes: Any) -> dict[str, Any]:
    return event({**READ, "kind": kind, "ref": "a-1", **changes}, LOG)


@pytest.mark.parametrize(
    ("kind", "outcome", "type_uid"),
    [
        ("READ", "OK", 600501),
        ("READ", "PARTIAL", 600501),
        ("READ", "DENIED", 600302),
        ("MUTATION", "OK", 600502),
        ("MUTATION", "FAILED", 600303),
        ("AUDIT_READ", "OK", 600504),
        ("EXPORT_RESULT", "OK", 600302),
        ("REMOTE_INTENT", "OK", 600303),
        ("SIGN_IN", "OK", 300201),
        ("REJECTS", "DENIED", 600302),
        ("POLICY_CHANGED", "OK", 300403),
        ("ACCOUNT_CHANGED", "OK", 300702),
        ("ALERT_RAISED", "OK", 200401),
        ("ALERT_HANDLED", "OK", 200403),
        ("HUB_START", "OK", 600203),
        ("HUB_STOP", "OK", 600204),
        ("HEARTBEAT", "OK", 99),
    ],
)
def test_a_kind_is_a_class_and_an_activity(kind: str, outcome: str, type_uid: int) -> None:
    found = told(kind, outcome=outcome)
    assert found["type_uid"] == type_uid
    assert (found["class_uid"], found["activity_id"]) == divmod(type_uid, 100)
    assert found["category_uid"] == type_uid // 100_000


@pytest.mark.parametrize("kind", [*Kind, "ALERT_RAISED", "ALERT_HANDLED"])
def test_every_kind_has_what_its_class_requires(kind: str) -> None:
    bare = {k: READ[k] for k in ("v", "idx", "id", "ts", "writer", "wseq", "area")}
    for body in (bare, READ):
        for outcome in ("OK", "DENIED"):
            found = event({**body, "kind": str(kind), "outcome": outcome}, LOG)
            required = (*EVERY, *REQUIRED[found["class_uid"]])
            assert [name for name in required if name not in found] == []
            assert found["metadata"]["version"] == VERSION == "1.9.0"


def test_how_a_data_set_was_read_is_the_activity() -> None:
    for how, activity in {"row": 1, "key": 1, "exists": 1, "list": 8, "tally": 4}.items():
        reads = [{**READ["reads"][0], "how": how}]
        assert told(reads=reads)["activity_id"] == activity
    assert told(reads=[])["activity_id"] == 4


def test_no_token_of_a_citizen_is_in_an_event() -> None:
    (token,) = READ["subjects"]
    found = told(sought=[token])
    assert token not in json.dumps(found)
    assert found["unmapped"]["subject_count"] == 1
    assert found["unmapped"]["purpose"] == "aid.verify"
    assert found["metadata"]["uid"] == f"{LOG}/5"
