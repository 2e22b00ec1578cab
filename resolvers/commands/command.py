"""What every command has: a desk to work at, and how it says that it did nothing.

A command reads the rows it is about in the deed's own transaction, asks the Gate, moves a table of
`domain/` and writes. It gives keys of rows and plain values, never data: what may be shown of the
rows is the Plan's to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from secrets import token_hex
from typing import Any

from authz.gate import Gate
from authz.lens import Mode, youngest_adult
from catalog.divisions import COUNTY
from catalog.errors import BadUserInput, Conflict, Forbidden
from catalog.load import Catalog
from catalog.workdays import ZONE
from domain.machine import Fact, Stamps
from resolvers.deed import Done, Told
from store.deeds import next_number
from store.register import Person

PLACE = ("applicant_uid", "household_id", "region_path", "handling_dept")
"""Whose a row is and where it lies: what rights to it are judged by."""
TEXT = 2_000  # characters of an opinion, a reason or a result; a page has a thousand
Input = Mapping[str, Any]


class Refused(Exception):
    """A business refusal: nothing is changed, and the payload is of this type with these values."""

    def __init__(self, kind: str, **values: Any) -> None:
        super().__init__(kind)
        self.done = Done(kind, values=values, changed=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """One deed's transaction, whose deed it is, and when it is done.

    `tokens`: how the access log names a person, by his ``citizen_uid``. `person`: the
    ``citizen_uid`` of an id number; BadUserInput ID_NUMBER for a text that is none.
    """

    connection: Any
    gate: Gate
    catalog: Catalog
    now: datetime
    tokens: Callable[[str], list[bytes]]
    person: Callable[[str], str]

    @property
    def post(self) -> str:
        """The post by which it is done, as rows of events name it."""
        first = self.gate.asker.posts[0]
        return f"{first.dept}/{first.role}/{first.base}"

    def sees(
        self,
        dataset: str,
        region: str,
        owner: str | None,
        household: str | None,
        *,
        minor: bool = False,
    ) -> bool:
        """May the asker read this row at all? Else it is to him as if it were not there."""
        lens = self.gate.lens(self.catalog.datasets[dataset], Mode.KEY)
        bound = self.gate.asker.bound
        return (bound is None or bound == household) and lens.rows.admits(region, owner, minor)

    def knows(self, person: Person) -> bool:
        """May the asker read this person, or is he the one he speaks for?"""
        asker = self.gate.asker
        if asker.end_user is not None and asker.end_user != person.citizen_uid:
            return False
        child = person.birth is None or person.birth > youngest_adult(asker.day)
        return self.sees("citizen", person.region_path, None, person.household_id, minor=child)

    def demand(self, obj: str, region: str, owner: str) -> None:
        """Forbidden, unless the asker may write this object of a row there."""
        verdict = self.gate.demand(obj, "write", region, owner)
        if not verdict.allowed:
            title = self.catalog.objects[obj].title
            said = f"按现行权限规则，您的岗位不能在此办理“{title}”"
            raise Forbidden(said, reason=str(verdict.reason), ask=verdict.ask)


Deed = Callable[[Desk, Input], Awaitable[tuple[Done, Told]]]
"""Does one command. HubError or Refused: nothing of it stays."""


def text(given: Input, name: str, title: str, most: int = TEXT) -> str:
    """A text that was given and is not empty. BadUserInput VARIABLE."""
    value = str(given.get(name) or "").strip()
    if not value or len(value) > most:
        raise BadUserInput(f"请填写{title}，最多 {most} 字", reason="VARIABLE")
    return value


def department(desk: Desk, code: str) -> str:
    """The code of a department. BadUserInput VARIABLE."""
    if code not in desk.catalog.departments:
        raise BadUserInput("没有此部门代码：请核对", reason="VARIABLE")
    return code


def area(desk: Desk, code: str) -> str:
    """The region path of a division of the county. BadUserInput CODE_SCHEME."""
    division = desk.catalog.divisions.get(code)
    if division is None or not division.path.startswith(COUNTY):
        raise BadUserInput("没有此区划代码：请用砚山县的 12 位代码", reason="CODE_SCHEME")
    return division.path


def day(given: Input, name: str) -> date:
    """A day that was given. BadUserInput VARIABLE."""
    try:
        return date.fromisoformat(given[name])
    except ValueError:
        raise BadUserInput("日期请写作 2026-11-30", reason="VARIABLE") from None


def same_version(given: Input, version: int) -> None:
    """Conflict VERSION, unless the asker has seen the row as it is."""
    if given["version"] != version:
        raise Conflict("已被他人改动：请重新读取后再办", reason="VERSION", version=version)


def not_from_here(
    state: str, allowed: Iterable[str], said: str = "按办理流程，此刻不能这样办"
) -> Conflict:
    """The refusal of an act that the table does not list in this state, with those it does."""
    acts = [str(one) for one in allowed]
    return Conflict(said, reason="STATE", state=state, allowed=acts)


# ---- rows --------------------------------------------------------------------------------------


def new_id() -> str:
    """A row's key that says nothing."""
    return token_hex(16)


async def numbered(connection: Any, now: datetime, kind: str, pattern: str) -> str:
    """The next number of a kind, as its `pattern` writes year and number within it."""
    year = now.astimezone(ZONE).year
    return pattern.format(year, await next_number(connection, kind, year))


def lies(row: Any, names: Iterable[str] = PLACE) -> dict[str, Any]:
    """Where a row lies and whose it is, for the rows that are added to it."""
    return {name: getattr(row, name) for name in names}


def event(
    desk: Desk, place: Mapping[str, Any], state: str, act: str | None, note: str | None = None
) -> dict[str, Any]:
    """An event's row: what was done now, by which post, and where that led."""
    done = {"id": new_id(), "state": state, "act": act, "note": note}
    return {**place, **done, "at": desk.now, "post": desk.post}


def column_of(stamp: Fact) -> str:
    """The column in which a machine's stamp stands."""
    return stamp.value.lower()


def stamps_of(row: Any, facts: Iterable[Fact]) -> Stamps:
    """Those of a machine's stamps that a row has."""
    held = ((fact, getattr(row, column_of(fact))) for fact in facts)
    return {fact: at for fact, at in held if at is not None}
