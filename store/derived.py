"""Tables that no migration makes: what an officer reads of the log, and where staff is short.

A data set of the catalogue may name one of these as its table. They are subqueries, so that a
Plan lays the same Lens over them as over a table, and nothing is stored twice.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, String, case, cast, func, literal, literal_column, or_, select

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
    audit_withholding,
)
from store.functions import DayOf, HexOf
from store.metadata import PATH, metadata
from store.staffing import staffing_gap

HOUR_US = 3_600_000_000
BEIJING_H, DAY_H = 8, 24
ONE: Any = literal_column("1", Integer)
FULL: Any = literal_column("'FULL'", String)
OFFICE_ONLY: Any = literal_column("'OFFICE_ONLY'", String)
WITHHELD: Any = literal_column("'WITHHELD'", String)
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


def _own() -> Any:
    """What a citizen is told of each record: all of it, the office, or that there is one.

    Days end by the database's clock in UTC: a day later at most than in the county.
    """
    event, subject, rule = audit_event.c, audit_subject.c, audit_withholding.c

    def withheld(level: str) -> Any:
        aimed = [
            or_(mine == "", mine == func.coalesce(theirs, ""))
            for mine, theirs in (
                (rule.org, event.actor_org),
                (rule.purpose, event.purpose),
                (rule.case_ref, event.case_ref),
            )
        ]
        return select(rule.basis).where(
            rule.level == literal_column(f"'{level}'"), rule.until >= func.current_date(), *aimed
        )

    secret, office = withheld("WITHHELD"), withheld("OFFICE_ONLY")
    shown = case((secret.exists(), WITHHELD), (office.exists(), OFFICE_ONLY), else_=FULL)
    columns = (subject.idx, subject.subject, subject.how, event.ts, event.area, event.actor_org)
    told = select(
        *(*columns, event.client_app, event.purpose.label("why"), shown.label("shown")),
        secret.limit(1).scalar_subquery().label("ground"),
    )
    joined = audit_subject.join(audit_event, event.idx == subject.idx)
    row = told.select_from(joined).subquery("told")
    known, whole = row.c.shown != WITHHELD, row.c.shown == FULL
    return select(
        *(row.c.idx, row.c.subject, row.c.ts, row.c.area, row.c.shown),
        case((known, row.c.ts)).label("told_at"),
        case((known, row.c.how)).label("how"),
        case((known, row.c.actor_org)).label("office"),
        case((whole, row.c.client_app)).label("system"),
        case((whole, row.c.why)).label("purpose"),
        case((row.c.shown == WITHHELD, row.c.ground)).label("basis"),
    ).subquery("audit_own")


_ALL = (_access(), _activity(), _health(), _proof(), _own(), staffing_gap())
DERIVED = {one.name: one for one in _ALL}
"""By the name a data set's `table` gives."""

metadata.info["derived"] = DERIVED
