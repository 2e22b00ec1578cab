"""Grants as rows: one department's leave to use what another provides (办法第十一条).

    PENDING ──approved by a second person──► ACTIVE ──► REVOKED
       └──────────────────────────────────────────────────┘

The row is the policy itself: ``authz.sharing`` makes allow lines of it while it is ACTIVE.
First and last day count by the asker's day, so neither needs a change of state.
``store.sharing`` changes these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import CheckConstraint, Column, Date, String, Table, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, metadata, region_shape

PENDING, ACTIVE, REVOKED = "PENDING", "ACTIVE", "REVOKED"
_FILLED = ("object", "provider", "consumer", "actions", "purpose", "written_by")

share_grant = Table(
    "share_grant",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("request_id", BYTES, nullable=False),
    Column("object", String(64), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("consumer", String(32), nullable=False),
    Column("actions", String(64), nullable=False),
    Column("reach", String(16), nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("since", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("state", String(8), nullable=False),
    Column("written_by", String(64), nullable=False),
    Column("approved_by", String(64)),
    CheckConstraint("provider <> consumer", name="two_departments"),
    CheckConstraint(f"state IN ('{PENDING}', '{ACTIVE}', '{REVOKED}')", name="state"),
    CheckConstraint(
        f"reach IN ('subtree', 'here', 'county') OR ({region_shape('reach')})", name="reach"
    ),
    CheckConstraint("since <= until", name="term"),
    CheckConstraint(f"state <> '{ACTIVE}' OR approved_by IS NOT NULL", name="approved"),
    CheckConstraint("approved_by <> written_by", name="two_people"),
    CheckConstraint(" AND ".join(f"length({c}) > 0" for c in _FILLED), name="filled"),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """One row as plain values.

    `actions` and `purpose` may list several words with ``|``; `since` and `until` are ISO days,
    both included; `approved_by` is empty until somebody approved.
    """

    id: str
    request_id: str
    object: str
    provider: str
    consumer: str
    actions: str
    reach: str
    purpose: str
    since: str
    until: str
    state: str = PENDING
    written_by: str = ""
    approved_by: str = ""

    @property
    def active(self) -> bool:
        """Does it give anything between its days?"""
        return self.state == ACTIVE


async def read_grants(conn: AsyncConnection) -> tuple[Grant, ...]:
    """Every grant there ever was, by id."""
    found = await conn.execute(select(share_grant).order_by(share_grant.c.id))
    return tuple(_grant(row) for row in found)


def _grant(row: Row[tuple[object, ...]]) -> Grant:
    return Grant(*(_text(value) for value in row))


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)
