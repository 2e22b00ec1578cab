"""What a root function gives: a data set, a right, conditions and where their values come from.

A root function is called once per Shape with the arguments of that request, to see *which*
were given; their values are taken anew from every request by the Binds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NoReturn

from adapters.contract import EXTRA, Leaf
from authz.lens import Mode
from catalog.divisions import COUNTY
from catalog.errors import BadUserInput, Internal
from catalog.load import Catalog
from resolvers.plan import Grouping

Args = Mapping[str, Any]
_CODE = re.compile(r"\d{6}(\d{3}){0,2}\Z", re.ASCII)


def _unknown(_value: str) -> NoReturn:
    raise Internal("访问审计未接入人员代号")


@dataclass(frozen=True, slots=True)
class Words:
    """What a value is checked against; `synthetic`: invented id numbers (5399…) are accepted.

    `uid`: the ``citizen_uid`` of an id number; `tokens`: all his tokens in the access log.
    """

    catalog: Catalog
    synthetic: bool
    uid: Callable[[str], str] = _unknown
    tokens: Callable[[str], list[bytes]] = _unknown


Convert = Callable[[Any, Words], Any]
Sought = str | bytes
"""A person as the log's record names him: by ``citizen_uid`` or by a token that is known."""
ME = "@me"
"""In place of an argument: the citizen the asker speaks for (``Asker.end_user``), or None."""
SELF = "@self"
"""In place of an argument: the account that asks."""
CHANGED = "@changed"
"""In place of an argument: the key of the row whose change a subscription is told of."""
AMONG = (8, 100)
"""How many values a condition ``among`` may have: a statement has a parameter for each."""


@dataclass(frozen=True, slots=True)
class Given:
    """A condition on a catalogue column (or a raw one), and the argument that holds its value."""

    column: str
    op: str
    path: tuple[str, ...]
    convert: Convert


@dataclass(frozen=True, slots=True)
class Root:
    """A root's rows. `identifier`: the column an exact look-up goes by (mode LOOKUP).

    `group`: of a root that gives groups instead of rows (mode COUNT). `sought`: of a root about
    one person, who that is by the arguments: his ``citizen_uid``, or his token in the log.
    """

    dataset: str
    mode: Mode
    given: tuple[Given, ...] = ()
    identifier: str | None = None
    group: Grouping | None = None
    sought: Callable[[Args, Words], Sought] | None = None


def as_is(value: Any, _words: Words) -> Any:
    """The value itself; an enumeration's stored code."""
    return value.value if isinstance(value, Enum) else value


def moment(value: Any, _words: Words) -> datetime:
    """An ISO instant with its offset, as UTC; BadUserInput DATE_TIME for any other text."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadUserInput(
            "时间须为带时区的 ISO 8601，如 2026-11-26T08:00:00+08:00", reason="DATE_TIME"
        )
    return at.astimezone(UTC)


def given(args: Args, *path: str) -> bool:
    """True if the argument at `path` is there and not null."""
    value: Any = args
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value is not None


def equals(args: Args, column: str, *path: str, convert: Convert = as_is) -> tuple[Given, ...]:
    """``column = argument`` if the argument is given, else no condition."""
    return (Given(column, "eq", path, convert),) if given(args, *path) else ()


def within(args: Args, *path: str, column: str = "region_path") -> tuple[Given, ...]:
    """Rows at or inside the division of the argument, if given."""
    if not given(args, *path):
        return ()
    raw = EXTRA + column
    return (Given(raw, "ge", path, lower), Given(raw, "lt", path, upper))


def place(code: Any, words: Words) -> str:
    """The region path of a canonical division code; BadUserInput if the county has none such."""
    division = words.catalog.divisions.get(str(code))
    if division is None or not division.path.startswith(COUNTY):
        # Only what looks like a code is said again: people also paste id numbers here.
        shown = f" `{code}`" if _CODE.match(str(code)) else ""
        raise BadUserInput(
            f"没有区划代码{shown}：请用砚山县的 12 位国家统计局代码", reason="CODE_SCHEME"
        )
    return division.path


def lower(code: Any, words: Words) -> str:
    """The first path inside a division."""
    return place(code, words)


def upper(code: Any, words: Words) -> str:
    """The first path behind a division: last digit + 1 (``:`` follows ``9``)."""
    path = place(code, words)
    return path[:-1] + chr(ord(path[-1]) + 1)


def spread(op: str) -> int:
    """How many parameters a condition takes its list of values from; 0 for one value."""
    return next((most for most in AMONG if op == among(most)), 0)


def among(most: int) -> str:
    """The operator for a column that has one of up to so many values."""
    return f"among{most}"


def leaf(condition: Given, param: str) -> Leaf:
    """The condition as a source sees it."""
    return Leaf(condition.column, condition.op, param)
