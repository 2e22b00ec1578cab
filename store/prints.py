"""打印件: what was printed, as it was printed; rows are only ever added (领域设计 1.13).

An electronic record equals paper (第十条第二项; 在线政务服务若干规定 Art. 12) only if it stays what
it was: a row holds the answer as the Plan gave it to its asker, already masked, with the number,
the check code and the digest that stand on the paper. Triggers refuse every change.

Numbers run without a gap within a year, as a register of papers does: a missing one would be a
print that somebody removed. The year's row is locked from the number to the commit, and a deed
that fails gives its number back.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.frozen import Frozen
from store.metadata import BYTES, PATH, metadata
from store.rows import INSERT

PREFIX = "YS"  # 砚山
NUMBER = re.compile(rf"{PREFIX}-\d{{4}}-\d{{6,9}}\Z", re.ASCII)

printed_record = Table(
    "printed_record",
    metadata,
    Column("number", BYTES, primary_key=True),
    Column("code", BYTES, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("subject", BYTES, nullable=False),  # id of the case or order
    Column("template", String(32), nullable=False),
    Column("content", Text, nullable=False),  # never json(b): re-serialised, it would not verify
    Column("sha256", String(64), nullable=False),  # hex
    Column("printed_at", BigInteger, nullable=False),  # µs UTC
    Column("account", BYTES, nullable=False),
    Column("dept", BYTES, nullable=False),
    Column("role", String(32), nullable=False),
    Column("area", PATH, nullable=False),
    Column("issuer", String(128), nullable=False),  # in words, as it stands on the paper
    Column("address", String(400), nullable=False),  # where the code is asked about
    Column("audit_idx", BigInteger, nullable=False),
    CheckConstraint("length(sha256) = 64", name="sha256"),
    Index("ix_printed_record_subject", "subject", "printed_at"),
)

print_count = Table(
    "print_count",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

FROZEN = Frozen(("printed_record",), "prints_refuse", "prints are never changed")


@dataclass(frozen=True, slots=True)
class Printed:
    """One print. `printed_at` µs UTC; `audit_idx` where the record of its READ stands.

    `account`, `dept`, `role`, `area`: who had it printed, in which post.
    """

    number: str
    code: str
    kind: str
    subject: str
    template: str
    content: str
    sha256: str
    printed_at: int
    account: str
    dept: str
    role: str
    area: str
    issuer: str
    address: str
    audit_idx: int

    @property
    def sound(self) -> bool:
        """Is it still what the digest was made of?"""
        said = sha256_of(self.number, self.code, self.template, self.printed_at, self.content)
        return said == self.sha256


_COLUMNS = [printed_record.c[field.name] for field in fields(Printed)]


def sha256_of(number: str, code: str, template: str, printed_at: int, content: str) -> str:
    """The digest of a print: all that its paper says, but for who stands behind it.

    With the code, which is chance and stands in no log: who knows a digest alone cannot try out
    contents until one fits.
    """
    said = "\n".join((number, code, template, str(printed_at), content))
    return sha256(said.encode()).hexdigest()


async def next_number(connection: AsyncConnection, year: int) -> str:
    """``YS-2026-000123``; taken for good when the transaction commits, given back otherwise."""
    made = INSERT[connection.dialect.name](print_count).values(year=year, last=1)
    counted = made.on_conflict_do_update(
        index_elements=["year"], set_={"last": print_count.c.last + 1}
    )
    last = (await connection.execute(counted.returning(print_count.c.last))).scalar_one()
    return f"{PREFIX}-{year}-{last:06}"


async def keep(connection: AsyncConnection, printed: Printed) -> None:
    """Add a print. IntegrityError if number or code is there already."""
    await connection.execute(printed_record.insert(), asdict(printed))


async def by_number(connection: AsyncConnection, number: str) -> Printed | None:
    """The print of a number."""
    asked = select(*_COLUMNS).where(printed_record.c.number == number)
    return _printed((await connection.execute(asked)).one_or_none())


async def by_code(connection: AsyncConnection, code: str) -> Printed | None:
    """The print of a check code."""
    asked = select(*_COLUMNS).where(printed_record.c.code == code)
    return _printed((await connection.execute(asked)).one_or_none())


def _printed(row: Row[Any] | None) -> Printed | None:
    return None if row is None else Printed(**row._asdict())
