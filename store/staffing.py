"""人员缺口 as rows: who must be there, less who is (第十二条).

`staffing` is the catalogue's ``procedures.toml`` in rows: so many accounts of a department at every
place of a level, from its first to its last day. The gaps are no table: a subquery of those rows,
the places and the accounts as they are, over which a Plan lays its Lens as over a table. Counted
are people: active accounts of officials with a working post today; who holds one of the three
separate duties does no work of the platform, a system is nobody.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Date, Integer, String, Table, and_, func, literal, select

from store.accounts import OFFICIAL, WORK, post, principal
from store.functions import Today
from store.metadata import BYTES, metadata
from store.words import division

staffing = Table(
    "staffing",
    metadata,
    Column("department", BYTES, primary_key=True),
    Column("level", String(12), primary_key=True),
    Column("since", Date, primary_key=True),
    Column("until", Date, nullable=False),
    Column("accounts", Integer, nullable=False),
    Column("legal_basis", String(200), nullable=False),
)

COUNTED = {
    "principal": ("id", "kind", "state"),
    "post": ("principal_id", "duty", "dept", "region_path", "starts_on", "ends_on"),
}
"""Table -> the columns that the count looks at: who reads gaps needs no more of accounts."""


def _held() -> Any:
    today = Today()
    return (
        select(post.c.dept, post.c.region_path, func.count(principal.c.id.distinct()).label("held"))
        .select_from(post.join(principal, principal.c.id == post.c.principal_id))
        .where(principal.c.state == literal("active", String))
        .where(principal.c.kind == literal(OFFICIAL, String))
        .where(post.c.duty == literal(WORK, String))
        .where(post.c.starts_on <= today, post.c.ends_on >= today)
        .group_by(post.c.dept, post.c.region_path)
        .subquery("held")
    )


def staffing_gap() -> Any:
    """One row a station that is short: required, held, missing."""
    rule, place, held, today = staffing.c, division.c, _held(), Today()
    count = func.coalesce(held.c.held, 0)
    there = and_(held.c.dept == rule.department, held.c.region_path == place.path)
    return (
        select(
            (rule.department + literal("/", String) + place.path).label("id"),
            rule.department,
            place.path.label("region_path"),
            rule.level,
            rule.accounts.label("required"),
            count.label("held"),
            (rule.accounts - count).label("missing"),
            rule.legal_basis,
        )
        .select_from(staffing.join(division, place.level == rule.level).outerjoin(held, there))
        .where(rule.since <= today, rule.until >= today)
        .where(count < rule.accounts)
        .subquery("staffing_gap")
    )
