"""A case, an order of supervision, a complaint, by its number: what ``X-Case-No`` names.

Each narrows the rights to the household it is about; each is looked for where its data set lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy import Select, Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.databases.database import Database
from adapters.resilience import Guard
from catalog.errors import SourceUnavailable
from store.cases import case_file
from store.comparisons import risk_clue
from store.complaints import complaint
from store.supervision import supervision_order

NUMBERED: Mapping[str, tuple[Table, str, str]] = {
    "case": (case_file, "case_no", "Case.basic"),
    "supervision_order": (supervision_order, "order_no", "SupervisionOrder.basic"),
    "complaint": (complaint, "complaint_no", "Complaint.basic"),
    "risk_clue": (risk_clue, "clue_no", "RiskClue.basic"),
}
"""Data set -> its table, its number's column, the object that must be readable: first match."""


class Lying(Protocol):
    """Where a data set lies (adapters' SqlSource)."""

    name: str
    guard: Guard
    database: Database


@dataclass(frozen=True, slots=True)
class Filed:
    """Where it was filed (region path), who handles it, whose household it is about.

    `object`: what an asker must be able to read, for the number to be his business.
    """

    object: str
    region: str
    owner: str
    household: str | None


class CaseFiles:
    """Asks the databases the numbered data sets lie in, under their deadlines and breakers."""

    def __init__(self, sources: Mapping[str, Lying]) -> None:
        """`sources`: data set -> source, of all in NUMBERED."""
        self._asked = [(sources[name], *_asking(sources[name], name)) for name in NUMBERED]

    async def find(self, number: str) -> Filed | None:
        """Case, order, complaint or clue; None for a number nobody has. SourceUnavailable."""
        for source, text, what in self._asked:
            ask = partial(source.database.fetch, text, [number])
            try:
                rows = await source.guard.run(ask)
            except SourceUnavailable as error:
                raise SourceUnavailable(
                    "诉求件库暂时不可用", reason=error.reason, source=source.name
                ) from None
            if rows:
                return Filed(what, *rows[0])
        return None


async def read_filed(conn: AsyncConnection, name: str, number: str) -> Filed | None:
    """One of NUMBERED as `CaseFiles.find` finds it, for a program that asks once and waits."""
    row = (await conn.execute(_by_number(name), {"number": number})).first()
    return None if row is None else Filed(NUMBERED[name][2], *row)


def _asking(source: Lying, name: str) -> tuple[str, str]:
    """The statement, and the object of its rows."""
    return str(_by_number(name).compile(dialect=source.database.dialect)), NUMBERED[name][2]


def _by_number(name: str) -> Select[str, str, str | None]:
    table, number, _ = NUMBERED[name]
    columns = (table.c.region_path, table.c.handling_dept, table.c.household_id)
    return select(*columns).where(table.c[number] == bindparam("number"))
