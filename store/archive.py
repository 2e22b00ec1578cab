"""策略存档: every policy as it stood, so that two versions of it can be compared.

A row is written in the transaction that changes the policy and never changed afterwards.
Versions in between (an account opened, a post ended) have none of their own: the policy in
force was that of the newest row before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Integer, String, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.frozen import Frozen
from store.metadata import metadata

policy_archive = Table(
    "policy_archive",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("archived_at", DateTime(timezone=True), nullable=False),
    Column("content", Text, nullable=False),  # as `encoded` writes it
)

FROZEN = Frozen(("policy_archive",), "policy_refuse", "archived policies are never changed")

Texts = tuple[str, ...]
SignedLine = Texts
"""The nine policy columns, basis, written_by, approved_by."""
SIGNATURES = 2  # columns at the end of a SignedLine


@dataclass(frozen=True, slots=True)
class Policy:
    """All rows of a policy as texts: `lines` signed, `objects` as ``Shared``, `grants` whole."""

    lines: tuple[SignedLine, ...] = ()
    parents: tuple[tuple[str, str], ...] = ()
    objects: tuple[tuple[str, str, str, str], ...] = ()
    grants: tuple[Texts, ...] = ()


@dataclass(frozen=True, slots=True)
class Archived:
    """A policy as it stood from `version` on; `digest` as ``policy_digest`` made it."""

    version: int
    digest: str
    policy: Policy


def encoded(policy: Policy) -> str:
    """Canonical JSON: the same policy is the same text, in whatever order it was read."""
    content = {
        "grants": _rows(policy.grants),
        "objects": _rows(policy.objects),
        "parents": _rows(policy.parents),
        "rules": _rows(policy.lines),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _rows(rows: Iterable[Texts]) -> list[list[str]]:
    return sorted(map(list, rows))


async def keep(conn: AsyncConnection, version: int, digest: str, policy: Policy) -> None:
    """Archive a policy, unless the newest one archived is the same; in the caller's transaction."""
    content = encoded(policy)
    by_age = select(policy_archive.c.content).order_by(policy_archive.c.version.desc())
    if await conn.scalar(by_age.limit(1)) == content:
        return
    row = {"version": version, "digest": digest, "content": content}
    await conn.execute(insert(policy_archive), row | {"archived_at": datetime.now(UTC)})


async def archived(conn: AsyncConnection, version: int) -> Archived | None:
    """The policy in force at `version`; None if the archive does not reach back so far."""
    known = select(policy_archive).where(policy_archive.c.version <= version)
    row = (await conn.execute(known.order_by(policy_archive.c.version.desc()).limit(1))).first()
    if row is None:
        return None
    content = json.loads(row.content)
    policy = Policy(
        tuple(tuple(line) for line in content["rules"]),
        tuple((role, parent) for role, parent in content["parents"]),
        tuple((o, provider, kind, basis) for o, provider, kind, basis in content["objects"]),
        tuple(tuple(grant) for grant in content["grants"]),
    )
    return Archived(row.version, row.digest, policy)
