"""A case by its number, wherever the cases lie: what ``X-Case-No`` narrows the rights to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import bindparam, select

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


class CaseFiles:
    """Asks the database the cases lie in, under that source's deadline and breaker."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self._database, self._guard = database, guard
        columns = (case_file.c.region_path, case_file.c.handling_dept, case_file.c.household_id)
        wanted = select(*columns).where(case_file.c.case_no == bindparam("case_no"))
        self._text = str(wanted.compile(dialect=database.dialect))

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
