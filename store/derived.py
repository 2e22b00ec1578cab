"""Tables that no migration makes: what an officer reads of the log, out of its tables.

A data set of the catalogue may name one of these as its table. They are subqueries, so that a
Plan lays the same Lens over them as over a table, and nothing is stored twice.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, String, case, cast, func, literal, literal_column, select

from store.audit import (
    audit_alert,
    audit_checkpoint,
    audit_cosignature,
    audit_event,
    audit_follower,
    audit_head,
    audit_index,
    audit_rollup_hour,
    audit_subject,
    audit_verdict,
)
from store.functions import DayOf, HexOf
from store.metadata import PATH, metadata

HOUR_US = 3_600_000_000
BEIJING_H, DAY_H = 8, 24
ONE: Any = literal_column("1", Integer)
COUNTY: Any = literal_column("'532622'", PATH)


def _access() -> Any:
    """One row a person and record: who was seen or sought, and what the record says."""
    event, subject = audit_event.c, audit_subject.c
    said = (
        *(event.ts, event.kind, event.outcome, event.decision_code, event.actor, event.actor_org),
        *(event.actor_role, event.client_app, event.purpose, event.legal_basis, event.case_ref),
        *(event.op_name, event.area, event.request_id),
    )
    joined = audit_subject.join(audit_event, event.idx == subject.idx)
    whom = (subject.idx, subject.subject, subject.how, HexOf(subject.subject).label("person"))
    return select(*whom, *said).select_from(joined).subquery("audit_access")


def _activity() -> Any:
    """The hourly roll-up with its hour as an instant, a day and an hour of the county's clock."""
    table = audit_rollup_hour.c
    local = (table.hour + BEIJING_H) % DAY_H
    return select(
        *(table.actor, table.area, table.kind, table.outcome, table.events, table.subjects),
        (table.hour * HOUR_US).label("ts"),
        DayOf(table.hour).label("day"),
        cast(local, Integer).label("hour"),
    ).subquery("audit_activity")


def _health() -> Any:
    """One row: how far the log is, and how far what follows it."""
    follower = audit_follower.c
    newest = select(audit_checkpoint.c.created_at).order_by(audit_checkpoint.c.size.desc())
    judged = select(audit_verdict).order_by(audit_verdict.c.at.desc()).limit(1).subquery()
    opened = select(func.count()).select_from(audit_alert)

    def reached(name: str) -> Any:
        found = select(follower.next_idx).where(follower.name == literal(name, String))
        return found.scalar_subquery()

    return (
        select(
            COUNTY.label("area"),
            *(audit_head.c.log, audit_head.c.size, audit_head.c.root, audit_head.c.suite),
            select(func.max(audit_checkpoint.c.size)).scalar_subquery().label("signed"),
            newest.limit(1).scalar_subquery().label("signed_at"),
            select(func.max(audit_cosignature.c.size)).scalar_subquery().label("witnessed"),
            select(func.max(audit_cosignature.c.at)).scalar_subquery().label("witnessed_at"),
            select(func.max(audit_index.c.next_idx)).scalar_subquery().label("indexed"),
            reached("rollup").label("rolled_up"),
            reached("alerts").label("alerted"),
            opened.where(audit_alert.c.state == "OPEN").scalar_subquery().label("open_alerts"),
            select(judged.c.at).scalar_subquery().label("verified_at"),
            select(judged.c.size).scalar_subquery().label("verified"),
            select(case((judged.c.exit == 0, literal("INTACT")), else_=literal("NOT_INTACT")))
            .scalar_subquery()
            .label("verdict"),
        )
        .select_from(audit_head)
        .subquery("audit_health")
    )


def _proof() -> Any:
    """A record's place and leaf; its proof is made by who knows the tree (`hub/proofs.py`)."""
    event = audit_event.c
    nothing: Any = literal_column("NULL", String)
    shown = (event.idx, event.leaf, event.area, cast(nothing, String).label("proof"))
    return select(*shown).subquery("audit_proof")


DERIVED = {one.name: one for one in (_access(), _activity(), _health(), _proof())}
"""By the name a data set's `table` gives."""

metadata.info["derived"] = DERIVED
