"""Records as events of the Open Cybersecurity Schema Framework, version 1.9.0.

Classes and activities are those of github.com/ocsf/ocsf-schema, v1.9.0 of 3 August 2026:

    6005 Datastore Activity    reads and changes that were answered
    6003 API Activity          refused and failed requests, exports, shares, remote writes
    3002 Authentication        sign-in
    3004 Entity Management     policy and rules        3007 User Management   accounts
    2004 Detection Finding     alerts                  6002 Application Lifecycle  start, stop
    0    Base Event            whatever is left

Nothing of a record is lost: what has no attribute there stands under `unmapped` by our names.
Tokens of citizens are left out; a sink of events is not where one looks people up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.subjects import LIST, PACKED, seen_count

VERSION = "1.9.0"
PRODUCT = {"name": "Data-Sharing Hub", "vendor_name": "Yanshan County"}
OTHER = 99

_DATASTORE, _API, _SIGN_IN, _ENTITY, _USER, _ALERT, _LIFE, _BASE = (
    6005,
    6003,
    3002,
    3004,
    3007,
    2004,
    6002,
    0,
)
_HOW = {"row": 1, "key": 1, "exists": 1, "list": 8, "tally": 4}  # Read, List, Query
_KINDS = {
    "MUTATION": (_DATASTORE, 2),
    "AUDIT_READ": (_DATASTORE, 4),
    "SIGN_IN": (_SIGN_IN, 1),
    "SIGN_OUT": (_SIGN_IN, 2),  # Logoff
    "REJECTS": (_API, 2),
    "POLICY_CHANGED": (_ENTITY, 3),
    "RULE_CHANGED": (_ENTITY, 3),
    "KEY_ROTATED": (_ENTITY, 3),
    "ACCOUNT_CHANGED": (_USER, 2),
    "ALERT_RAISED": (_ALERT, 1),
    "ALERT_HANDLED": (_ALERT, 3),
    "HUB_START": (_LIFE, 3),
    "HUB_STOP": (_LIFE, 4),
}
_STATUS = {"OK": (1, "Success"), "PARTIAL": (1, "Success")}
_FAILURE = (2, "Failure")
_MAPPED = {
    "v",
    "idx",
    "ts",
    "kind",
    "outcome",
    "code",
    "actor",
    "org",
    "ip",
    LIST,
    PACKED,
    "sought",
}


def event(body: Mapping[str, Any], log: str) -> dict[str, Any]:
    """One record of the log `log` as an event."""
    class_uid, activity = class_of(body)
    status_id, status = _STATUS.get(body["outcome"], _FAILURE)
    told: dict[str, Any] = {
        "class_uid": class_uid,
        "category_uid": class_uid // 1000,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "time": body["ts"] // 1000,
        "severity_id": 3 if class_uid == _ALERT else 1,
        "metadata": {
            "version": VERSION,
            "product": PRODUCT,
            "uid": f"{log}/{body['idx']}",
            "event_code": body["kind"],
            "log_name": log,
        },
        "unmapped": {key: value for key, value in body.items() if key not in _MAPPED},
    }
    told["unmapped"]["subject_count"] = seen_count(body)
    if class_uid != _ALERT:  # a finding's status is where its handling stands
        told |= {"status_id": status_id, "status": status}
        if "code" in body:
            told["status_code"] = body["code"]
    if "actor" in body:
        told["actor"] = {"user": {"uid": body["actor"], "org": {"uid": body.get("org", "")}}}
    if class_uid in (_DATASTORE, _API):
        told.setdefault("actor", {"user": {"uid": "anonymous"}})
        told["src_endpoint"] = {"ip": body["ip"]} if "ip" in body else {"name": "hub"}
    return told | _of_class(class_uid, body)


def class_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """class_uid and activity_id."""
    kind = body["kind"]
    if kind in ("READ", "MUTATION") and body["outcome"] not in _STATUS:
        return _API, 2 if kind == "READ" else 3
    if kind == "READ":
        reads = body.get("reads", ())
        return _DATASTORE, _HOW.get(reads[0]["how"], 4) if reads else 4
    if kind.endswith(("_INTENT", "_RESULT")):
        return _API, 3 if kind.startswith("REMOTE") else 2
    found: tuple[int, int] = _KINDS.get(kind, (_BASE, OTHER))
    return found


def _of_class(class_uid: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the class requires."""
    if class_uid == _DATASTORE:
        reads = body.get("reads", ())
        return {"database": {"name": reads[0]["src"] if reads else "hub"}, "type_id": 1}
    if class_uid == _API:
        return {"api": {"operation": body.get("op", {}).get("name") or body["kind"]}}
    if class_uid == _SIGN_IN:
        return {"user": {"uid": body.get("actor", "anonymous")}, "service": {"name": "hub"}}
    if class_uid == _USER:
        return {"user": {"uid": body.get("ref") or body.get("actor", "unknown")}}
    if class_uid == _ENTITY:
        return {"entity": {"type": body["kind"], "uid": body.get("ref") or body["kind"]}}
    if class_uid == _ALERT:
        status = {"ALERT_RAISED": (1, "New"), "ALERT_HANDLED": (4, "Resolved")}[body["kind"]]
        info = {"uid": body.get("ref", ""), "title": body.get("code", body["kind"])}
        return {"finding_info": info, "status_id": status[0], "status": status[1]}
    if class_uid == _LIFE:
        return {"application": {"name": "hub", "uid": body["writer"]}}
    if class_uid == _BASE:
        return {"activity_name": body["kind"]}
    return {}
