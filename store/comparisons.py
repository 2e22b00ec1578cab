"""比对批次 and 风险线索 (领域设计 1.15).

A run is never changed: its rule as it was, what each source gave, its counts and its digest. The
month's own run has its `period`, once for each rule; one by hand has none. A clue is one hit that
asks for something: it lies where the person lies and is the rule's owner's; it changes when it is
lifted to a case and when the visit has said whether it is so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
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

from store.frozen import Frozen
from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE, Person, citizen
from store.rows import Versioned, utc

AT_ONCE = 500  # keys in one statement: a parameter each
_AT = DateTime(timezone=True)

comparison_run = Table(
    "comparison_run",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("run_no", BYTES, nullable=False, unique=True),
    Column("rule", String(8), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("period", String(7)),  # 2026-11, of the month's own run
    Column("as_of", Date, nullable=False),
    Column("state", String(12), nullable=False),
    Column("started_at", _AT, nullable=False),
    Column("finished_at", _AT, nullable=False),
    Column("people", Integer, nullable=False),
    Column("unjudged", Integer, nullable=False),
    Column("hits", Integer),  # NULL: none found, and not everybody judged
    Column("added", Integer, nullable=False),
    Column("standing", Integer, nullable=False),
    Column("suppressed", Integer, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("snapshots", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    UniqueConstraint("rule", "period"),
    Index("ix_comparison_run_region", "region_path", "finished_at", "id"),
    Index("ix_comparison_run_township", TOWNSHIP, "finished_at", "id"),
)

risk_clue = Table(
    "risk_clue",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("clue_no", BYTES, nullable=False, unique=True),
    Column("run_id", BYTES, ForeignKey("comparison_run.id"), nullable=False, index=True),
    Column("rule", String(8), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("tier", String(8), nullable=False),
    Column("item", String(32), nullable=False),
    Column("found_at", _AT, nullable=False),
    Column("due_at", _AT),
    Column("due_confirmed", Boolean, nullable=False),
    Column("lifted_at", _AT),
    Column("visited_at", _AT),
    Column("case_id", BYTES, ForeignKey("case_file.id"), index=True),
    Column("detail", Text, nullable=False),
    Column("applicant_id", BYTES, ForeignKey("citizen.id"), nullable=False, index=True),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_risk_clue_region", "region_path", "found_at", "id"),
    Index("ix_risk_clue_township", TOWNSHIP, "found_at", "id"),
    Index("ix_risk_clue_found", "found_at", "id"),
)

FROZEN = Frozen(("comparison_run",), "comparison_refuse", "what a run has found stays as it was")


@dataclass(frozen=True, slots=True)
class ClueRow:
    """What a command needs to know of a clue before it changes it."""

    id: str
    clue_no: str
    version: int
    state: str
    applicant_id: str
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier clue: its state, and when its household was visited."""

    state: str
    visited_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the command line tells it."""

    run_no: str
    rule: str
    rule_version: int
    period: str | None
    as_of: Any
    state: str
    finished_at: datetime
    people: int
    unjudged: int
    hits: int | None
    added: int
    standing: int
    suppressed: int
    digest: str


_CLUES = Versioned(risk_clue, ClueRow)


# ---- a run -------------------------------------------------------------------------------------


async def scheduled(connection: AsyncConnection, period: str) -> set[str]:
    """The rules that have their run of a month."""
    asked = select(comparison_run.c.rule).where(comparison_run.c.period == period)
    return set((await connection.execute(asked)).scalars())


async def add_run(
    connection: AsyncConnection, run: Mapping[str, Any], clues: Sequence[Mapping[str, Any]]
) -> None:
    """A run and its clues, in the caller's transaction."""
    await connection.execute(insert(comparison_run).values(**run))
    if clues:
        await connection.execute(insert(risk_clue), [dict(clue) for clue in clues])


async def lapse(
    connection: AsyncConnection,
    rule: str,
    before: str,
    after: str,
    citizens: Sequence[str] | None = None,
) -> None:
    """Clues of a rule in one state get another: all of them, or those about these people."""
    of = risk_clue.c
    changed = update(risk_clue).where(of.rule == rule, of.state == before)
    changed = changed.values(state=after, version=of.version + 1)
    for keys in [None] if citizens is None else _at_once(citizens):
        which = changed if keys is None else changed.where(of.applicant_id.in_(keys))
        await connection.execute(which)


async def people_of(connection: AsyncConnection, citizens: Sequence[str]) -> dict[str, Person]:
    """Who these are on the register, by their keys; those who are there no more are left out."""
    columns = [citizen.c[name] for name in Person.__dataclass_fields__]
    found: dict[str, Person] = {}
    for keys in _at_once(citizens):
        rows = await connection.execute(select(*columns).where(citizen.c.id.in_(keys)))
        found |= {row.id: Person(*row) for row in rows}
    return found


async def earlier(
    connection: AsyncConnection, rule: str, citizens: Sequence[str]
) -> dict[str, list[Earlier]]:
    """Every clue of a rule about these people so far."""
    found: dict[str, list[Earlier]] = defaultdict(list)
    of = risk_clue.c
    for keys in _at_once(citizens):
        asked = select(of.applicant_id, of.state, of.visited_at)
        rows = await connection.execute(asked.where(of.rule == rule, of.applicant_id.in_(keys)))
        for who, state, at in rows:
            found[who].append(Earlier(state, None if at is None else utc(at)))
    return found


async def runs(connection: AsyncConnection, most: int) -> list[RunRow]:
    """The newest runs first, no more than so many."""
    names = RunRow.__dataclass_fields__
    columns = [comparison_run.c[name] for name in names]
    newest = comparison_run.c.finished_at.desc(), comparison_run.c.run_no.desc()
    rows = await connection.execute(select(*columns).order_by(*newest).limit(most))
    return [RunRow(**{**row._mapping, "finished_at": utc(row.finished_at)}) for row in rows]


async def counted(connection: AsyncConnection) -> dict[str, dict[str, int]]:
    """How many clues of each rule are in each state: what visits say of the rule."""
    asked = select(risk_clue.c.rule, risk_clue.c.state, func.count())
    rows = await connection.execute(asked.group_by(risk_clue.c.rule, risk_clue.c.state))
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for rule, state, count in rows:
        found[rule][state] = count
    return found


def _at_once(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (keys[at : at + AT_ONCE] for at in range(0, len(keys), AT_ONCE))


# ---- a clue ------------------------------------------------------------------------------------


async def clue_to_change(connection: AsyncConnection, number: str) -> ClueRow | None:
    """The clue of this number, locked until the transaction ends; None if there is none."""
    return await _CLUES.to_change(connection, risk_clue.c.clue_no == number)


async def clue_of_case(connection: AsyncConnection, case_id: str) -> ClueRow | None:
    """The clue this case was lifted from, locked; None for a case of another channel."""
    return await _CLUES.to_change(connection, risk_clue.c.case_id == case_id)


async def change_clue(connection: AsyncConnection, row: ClueRow, values: Mapping[str, Any]) -> None:
    """Change a clue that is locked; its version moves on by one."""
    await _CLUES.change(connection, row, values)
