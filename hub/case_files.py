"""A case by its number, wherever the cases lie: what ``X-Case-No`` narrows the rights to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.database import Database
from adapters.resilience import Guard
from catalog.errors import SourceUnavailable
from store.cases import case_file


@dataclass(frozen=True, slots=True)
class Filed:
    """Where a case was filed (region path), who handles it, whose household it is about."""

    region: str
    owner: str
    household: str | None


BY_NUMBER = select(
    case_file.c.region_path, case_file.c.handling_dept, case_file.c.household_id
).where(case_file.c.case_no == bindparam("case_no"))


class CaseFiles:
    """Asks the database the cases lie in, under that source's deadline and breaker."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self._database, self._guard = database, guard
        self._text = str(BY_NUMBER.compile(dialect=database.dialect))

    async def find(self, case_no: str) -> Filed | None:
        """The case, None if there is none of that number. SourceUnavailable."""
        ask = partial(self._database.fetch, self._text, [case_no])
        try:
            rows = await self._guard.run(ask)
        except SourceUnavailable as error:
            raise SourceUnavailable(
                "诉求件库暂时不可用", reason=error.reason, source=self._guard.name
            ) from None
        return Filed(*rows[0]) if rows else None


async def read_filed(conn: AsyncConnection, case_no: str) -> Filed | None:
    """The case as `CaseFiles.find`, for a program that asks once and waits."""
    row = (await conn.execute(BY_NUMBER, {"case_no": case_no})).first()
    return None if row is None else Filed(*row)
