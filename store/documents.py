"""Trusted documents (受信查询): texts that were reviewed before anybody could run them.

    DRAFT ── approved by another person ──► APPROVED ──► RETIRED
      └──────────────── withdrawn ─────────────────────────┘

A document belongs to one client, the ``client_id`` of the tokens it may be asked with: the same
text registered by two clients is reviewed twice. It is found by the sha256 of its text, by an
alias (the id its own tool gave it), or by name and version. What is registered never changes;
another text under the same name is the next version. Approving, retiring and naming count as
changes of the policy's version, so that every worker hears of them as it hears of rights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.errors import Readable
from store.metadata import BYTES, metadata
from store.policy import Change, bump_version, note, policy_version, read_version

DRAFT, APPROVED, RETIRED = "DRAFT", "APPROVED", "RETIRED"
NAME_LENGTH, ALIAS_LENGTH = 40, 128

trusted_document = Table(
    "trusted_document",
    metadata,
    Column("client", BYTES, primary_key=True),
    Column("sha256", BYTES, primary_key=True),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("cost", Integer, nullable=False),
    Column("reads", Text, nullable=False),  # JSON: what the reviewer was shown
    Column("state", String(16), nullable=False),
    Column("registered_by", String(64), nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("approved_by", String(64)),
    Column("approved_at", DateTime(timezone=True)),
    Column("retired_by", String(64)),
    Column("retired_at", DateTime(timezone=True)),
    UniqueConstraint("client", "name", "version", name="uq_trusted_document_name"),
    CheckConstraint("state IN ('DRAFT', 'APPROVED', 'RETIRED')", name="state"),
    CheckConstraint("length(sha256) = 64 AND version > 0 AND length(client) > 0", name="filled"),
    CheckConstraint("approved_by <> registered_by", name="four_eyes"),
    CheckConstraint("state <> 'APPROVED' OR approved_by IS NOT NULL", name="approved"),
    CheckConstraint("state <> 'RETIRED' OR retired_by IS NOT NULL", name="retired"),
)

trusted_alias = Table(
    "trusted_alias",
    metadata,
    Column("client", BYTES, primary_key=True),
    Column("alias", String(ALIAS_LENGTH), primary_key=True),
    Column("sha256", BYTES, nullable=False),
    ForeignKeyConstraint(
        ["client", "sha256"],
        ["trusted_document.client", "trusted_document.sha256"],
        name="fk_trusted_alias_document",
    ),
)


class DocumentRefused(Readable):
    """One Chinese line: why a document cannot be registered, approved or retired."""


def sha256_of(text: str) -> str:
    """The digest a document is asked by: over its text as UTF-8, to the last blank."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A text to be registered; `reads` is what the reviewer will be shown, as JSON values."""

    name: str
    text: str
    cost: int
    reads: Sequence[Mapping[str, Any]]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """One document as the store has it."""

    client: str
    sha256: str
    name: str
    version: int
    text: str = field(repr=False)
    cost: int
    reads: tuple[Mapping[str, Any], ...]
    state: str
    registered_by: str
    registered_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    retired_by: str | None
    retired_at: datetime | None

    @property
    def label(self) -> str:
        """Name and version, as people write them."""
        return f"{self.name}/{self.version}"

    @property
    def sound(self) -> bool:
        """Is this the text that was reviewed? A row changed past the workflow is no document."""
        return sha256_of(self.text) == self.sha256


@dataclass(frozen=True, slots=True)
class Added:
    """What registering left: documents that are new, those that were there, ids that are new."""

    new: tuple[Registered, ...]
    known: tuple[Registered, ...]
    aliases: int
    policy: int


async def read_documents(
    conn: AsyncConnection, client: str | None = None
) -> tuple[Registered, ...]:
    """All documents, or one client's, by client, name and version."""
    columns = trusted_document.c
    wanted = select(trusted_document).order_by(columns.client, columns.name, columns.version)
    if client is not None:
        wanted = wanted.where(columns.client == client)
    return tuple(_document(row) for row in await conn.execute(wanted))


async def read_aliases(conn: AsyncConnection, client: str) -> dict[str, str]:
    """The ids of a client's own tools, each with the sha256 it stands for."""
    columns = trusted_alias.c
    wanted = select(columns.alias, columns.sha256).where(columns.client == client)
    return {row.alias: row.sha256 for row in await conn.execute(wanted)}


async def register(
    conn: AsyncConnection, client: str, given: Sequence[NewDocument], *, by: str
) -> Added:
    """Keep texts as DRAFT, in the caller's transaction; the same text again is nothing new.

    DocumentRefused for an id that already stands for another text.
    """
    # A write that changes nothing: of two registrars one waits, so that versions are counted once.
    await conn.execute(update(policy_version).values(version=policy_version.c.version))
    known = {one.sha256: one for one in await read_documents(conn, client)}
    before, aliases = set(known), await read_aliases(conn, client)
    named, told = len(aliases), dict[str, None]()
    for one in given:
        digest = sha256_of(one.text)
        told[digest] = None
        if digest not in known:
            known[digest] = await _insert(conn, client, digest, one, by)
        for alias in one.aliases:
            await _name(conn, client, alias, digest, aliases)
    new = tuple(known[digest] for digest in told if digest not in before)
    old = tuple(known[digest] for digest in told if digest in before)
    changed = new or len(aliases) > named
    version = await bump_version(conn) if changed else await read_version(conn)
    return Added(new, old, len(aliases) - named, version)


async def seed(
    conn: AsyncConnection, client: str, given: Sequence[NewDocument], *, by: str, approved_by: str
) -> None:
    """Approved documents of a store that nobody has asked yet: the policy's version stays."""
    for one in given:
        made = await _insert(conn, client, sha256_of(one.text), one, by)
        signed = {"state": APPROVED, "approved_by": approved_by, "approved_at": made.registered_at}
        mine = (trusted_document.c.client == client, trusted_document.c.sha256 == made.sha256)
        await conn.execute(update(trusted_document).where(*mine).values(signed))


async def approve(
    conn: AsyncConnection, client: str, name: str, version: int, *, by: str, basis: str
) -> int:
    """Let a DRAFT be asked; the policy's new version. DocumentRefused.

    Never by whoever registered it (两人签批).
    """
    found = await _found(conn, client, name, version)
    if found.state != DRAFT:
        raise DocumentRefused(
            f"受信查询 `{found.label}` 的状态是 {found.state}：只有 DRAFT 可以批准"
        )
    if found.registered_by == by:
        raise DocumentRefused(f"受信查询 `{found.label}` 由本人登记：请由另一人批准")
    if not found.sound:
        raise DocumentRefused(f"受信查询 `{found.label}` 的文本与摘要不符：请先查明是谁改动")
    signed = {"state": APPROVED, "approved_by": by, "approved_at": datetime.now(UTC)}
    return await _changed(conn, found, signed, Change(by, "document.approve", "", "", basis))


async def retire(
    conn: AsyncConnection, client: str, name: str, version: int, *, by: str, basis: str
) -> int:
    """End a document at once; one person is enough. The policy's new version. DocumentRefused."""
    found = await _found(conn, client, name, version)
    if found.state == RETIRED:
        raise DocumentRefused(f"受信查询 `{found.label}` 已经停用")
    ended = {"state": RETIRED, "retired_by": by, "retired_at": datetime.now(UTC)}
    return await _changed(conn, found, ended, Change(by, "document.retire", "", "", basis))


async def _found(conn: AsyncConnection, client: str, name: str, version: int) -> Registered:
    columns = trusted_document.c
    wanted = select(trusted_document).where(
        columns.client == client, columns.name == name, columns.version == version
    )
    row = (await conn.execute(wanted.with_for_update())).first()
    if row is None:
        raise DocumentRefused(f"应用 `{client}` 没有受信查询 `{name}/{version}`：请核对")
    return _document(row)


async def _changed(
    conn: AsyncConnection, found: Registered, row: Mapping[str, Any], change: Change
) -> int:
    columns = trusted_document.c
    mine = (columns.client == found.client, columns.sha256 == found.sha256)
    # Of two who act at one moment the second finds another state than he has read.
    changed = update(trusted_document).where(*mine, columns.state == found.state).values(row)
    if (await conn.execute(changed)).rowcount != 1:
        raise DocumentRefused(f"受信查询 `{found.label}` 刚被他人改动：请重新查看")
    policy = await bump_version(conn)
    said = f"{found.client} {found.label} sha256:{found.sha256}"
    before, after = f"{found.state} {said}", f"{row['state']} {said}"
    await note(conn, Change(change.who, change.what, before, after, change.basis), policy)
    return policy


async def _insert(
    conn: AsyncConnection, client: str, digest: str, one: NewDocument, by: str
) -> Registered:
    columns = trusted_document.c
    last = await conn.scalar(
        select(func.max(columns.version)).where(columns.client == client, columns.name == one.name)
    )
    made = Registered(
        client=client,
        sha256=digest,
        name=one.name,
        version=(last or 0) + 1,
        text=one.text,
        cost=one.cost,
        reads=tuple(one.reads),
        state=DRAFT,
        registered_by=by,
        registered_at=datetime.now(UTC),
        approved_by=None,
        approved_at=None,
        retired_by=None,
        retired_at=None,
    )
    row = {column.name: getattr(made, column.name) for column in columns}
    reads = json.dumps(list(one.reads), ensure_ascii=False, separators=(",", ":"))
    await conn.execute(insert(trusted_document), row | {"reads": reads})
    return made


async def _name(
    conn: AsyncConnection, client: str, alias: str, digest: str, aliases: dict[str, str]
) -> None:
    known = aliases.setdefault(alias, digest)
    if known != digest:
        raise DocumentRefused(f"标识 `{alias}` 已指另一份文本：同一标识不能改指，请换一个")
    there = select(trusted_alias.c.alias).where(
        trusted_alias.c.client == client, trusted_alias.c.alias == alias
    )
    if (await conn.execute(there)).first() is None:
        row = {"client": client, "alias": alias, "sha256": digest}
        await conn.execute(insert(trusted_alias), row)


def _document(row: Row[Any]) -> Registered:
    values = dict(row._mapping)
    values["reads"] = tuple(json.loads(values["reads"]))
    return Registered(**values)
