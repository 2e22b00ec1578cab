"""A line of the policy that means more than it says: it does not enter, and nothing enters half."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.keeper import built
from authz.roles import pairs, parents_of, roles
from authz.rule import COLUMNS, Rule, check_rule
from store.policy import PolicyRows, read_policy_rows

if TYPE_CHECKING:
    from tests.attacks.conftest import County

GOOD = Rule(
    "town", "*", "Citizen.basic", "read", "subtree", "any", "*", "9999-12-31", "allow", "办法第六条"
)
INJECTED = {
    "another line": "town\np, town, *, Citizen.identity, unmask, county, any, *, 9999-12-31, allow",
    "another column": "town, *, Citizen.*",
    "a quote": 'town"',
    "a function": 'town") || held(r.posts, "*", "*", "county", "any", r.row, r.own) || ("',
    "an expression": "r.obj == r.obj",
    "a pattern": ".*",
    "a null byte": "town\x00",
    "a blank": "town ",
    "full width": "ｔｏｗｎ",
    "nothing": "",
}
HARMLESS = ("basis",)  # for people: no machine reads it


@pytest.mark.parametrize("text", INJECTED, ids=str)
@pytest.mark.parametrize("column", [c for c in COLUMNS if c not in HARMLESS])
def test_no_column_takes_what_is_no_word_of_its_own(county: County, column: str, text: str) -> None:
    fault = check_rule(replace(GOOD, **{column: INJECTED[text]}), county.desk.catalog)
    assert fault is not None
    assert fault.column == column


def test_the_good_line_enters(county: County) -> None:
    assert check_rule(GOOD, county.desk.catalog) is None


@pytest.fixture(scope="module")
def rows(county: County) -> PolicyRows:
    """The policy as the store hands it out."""

    async def read() -> PolicyRows:
        async with county.desk.store.connect() as connection:
            return await read_policy_rows(connection)

    return county.desk.runner.run(read())


def test_the_policy_as_it_is_enters(county: County, rows: PolicyRows) -> None:
    book = built(rows, county.desk.catalog, demo=True)
    assert len(book.rules) >= len(rows.rules) > 110


@pytest.mark.parametrize("column", [*COLUMNS[:8], "effect"])
def test_one_line_with_a_slip_of_the_pen_keeps_the_whole_policy_out(
    county: County, rows: PolicyRows, column: str
) -> None:
    at, lines = COLUMNS.index(column), list(rows.rules)
    slip = list(lines[7])
    slip[at] = slip[at].swapcase() + "x"
    lines[7] = tuple(slip)
    with pytest.raises(RuleError) as error:
        built(replace(rows, rules=tuple(lines)), county.desk.catalog, demo=True)
    assert error.value.column == column


def test_a_deny_lost_on_the_way_is_noticed(county: County, rows: PolicyRows) -> None:
    denies = [n for n, line in enumerate(rows.rules) if "deny" in line]
    assert len(denies) > 20
    for lost in (denies[0], denies[-1]):
        part = replace(rows, rules=rows.rules[:lost] + rows.rules[lost + 1 :])
        with pytest.raises(RuleError, match="摘要不符"):
            built(part, county.desk.catalog, demo=True)


def test_an_empty_policy_is_no_policy(county: County, rows: PolicyRows) -> None:
    with pytest.raises(RuleError, match="策略为空"):
        built(replace(rows, rules=()), county.desk.catalog)
    with pytest.raises(RuleError, match="策略为空"):
        PolicyBook(1, [], parents_of(pairs(roles())), county.desk.catalog)
