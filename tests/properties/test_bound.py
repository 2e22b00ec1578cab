"""What rights cost: as much for ten rows as for ten thousand, and nothing the second time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.roles import pairs, parents_of, roles
from hub.app import DOCUMENT_LIMITS
from resolvers.answer import Answer, Engine, Question
from tests.resolvers.conftest import VIEWER, data_of

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

MANY = """query($n: Int!) { citizens(first: $n) { totalCount nodes {
  name phone idNumber cases(first: 2) { totalCount nodes { caseNo orders { orderNo note } } }
  household { size members { name address } } } } }"""
FACETS = """query($n: Int!) { citizens(first: $n) { nodes { name
  civilAffairs { minLiving { status name } } housing { house { houseNo } }
  access { field state } } } }"""


def fresh(desk: Desk) -> PolicyBook:
    """The same policy, of which nothing has been asked yet."""
    return PolicyBook(7, desk.book.rules, parents_of(pairs(roles())), desk.catalog)


def generous(desk: Desk, json_mode: bool) -> Engine:
    setting = replace(desk.setting, page_max=10_000)
    limits = replace(DOCUMENT_LIMITS, cost=10**9)
    return Engine(desk.bindings, setting, limits, json_mode=json_mode)


def asked(
    desk: Desk, engine: Engine, book: PolicyBook, account: str, text: str, **given: Any
) -> tuple[int, int, Answer]:
    """Calls of Casbin, rows read, and the answer."""
    before = book.casbin_calls
    gate = Gate(book, desk.asker(account), desk.catalog)
    answer = desk.runner.run(engine.answer(Question(text, None, given), gate, {"viewer": VIEWER}))
    assert answer.errors == ()
    return book.casbin_calls - before, sum(r.rows for r in answer.disclosure.reads), answer


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
def test_casbin_is_asked_as_often_for_ten_rows_as_for_ten_thousand(
    desk: Desk, json_mode: bool
) -> None:
    few, many = (
        asked(desk, generous(desk, json_mode), fresh(desk), "lab", MANY, n=n) for n in (2, 5_000)
    )
    assert few[1] <= 40
    assert many[1] >= 10_000
    assert few[0] == many[0] > 0
    assert few[0] <= 200


def test_casbin_is_asked_as_often_about_facets_of_few_as_of_many(desk: Desk) -> None:
    few, many = (
        asked(desk, generous(desk, True), fresh(desk), "zhelai-town-01", FACETS, n=n)
        for n in (2, 300)
    )
    assert many[1] > 20 * few[1] > 0
    assert few[0] == many[0] > 0


@pytest.mark.parametrize("text", [MANY, FACETS], ids=["relations", "facets"])
def test_the_second_time_casbin_is_not_asked(desk: Desk, text: str) -> None:
    book, engine = fresh(desk), generous(desk, True)
    cold = asked(desk, engine, book, "zhelai-town-01", text, n=20)
    assert cold[0] > 0
    warm = asked(desk, engine, book, "zhelai-town-01", text, n=20)
    assert (warm[0], warm[1]) == (0, cold[1])
    assert data_of(warm[2]) == data_of(cold[2])
    # A colder engine has other Plans; the rights are the book's.
    assert asked(desk, generous(desk, True), book, "zhelai-town-01", text, n=20)[0] == 0


PARENTS = {
    "a person of another township": 'citizen(by: {id: "STRANGER"}) { FACETS }',
    "a person who is not there": 'citizen(by: {id: "nobody"}) { FACETS }',
    "a household of another township": 'household(id: "HOME") { members { FACETS } }',
    "a list of another township": 'citizens(division: "532622206000") { nodes { FACETS } }',
}
ALL = """civilAffairs { minLiving { status } } housing { house { houseNo } }
  health { chronic { disease } }
  monitoring { record { riskType } } education { enrolment { schoolCode } }"""


@pytest.mark.parametrize("road", PARENTS)
def test_without_an_admitted_parent_no_department_is_asked(desk: Desk, road: str) -> None:
    bange = desk.site.shown("bange")
    text = PARENTS[road].replace("STRANGER", bange.citizen).replace("HOME", bange.household)
    departments = [n for n in desk.sources if n not in ("hub", "audit")]
    before, own = desk.sent(*departments), desk.sent("hub")
    answer = desk.ask(desk.engine(True), "zhelai-town-01", f"{{ {text.replace('FACETS', ALL)} }}")
    assert answer.errors == ()
    assert desk.sent(*departments) == before
    assert desk.sent("hub") - own == 1


def test_a_department_is_asked_for_admitted_parents_alone(desk: Desk) -> None:
    """Health is shut to a township: of all departments it alone is not asked."""
    departments = ("mz_assist", "wfgz", "wj_resident", "xczx_monitor", "jt_xueji")
    before = {name: desk.sent(name) for name in departments}
    text = f'{{ citizen(by: {{id: "{desk.site.shown("zhelai").citizen}"}}) {{ {ALL} }} }}'
    answer = desk.ask(desk.engine(True), "zhelai-town-01", text)
    assert answer.errors == ()
    assert {n: desk.sent(n) - before[n] for n in departments} == {
        "mz_assist": 1, "wfgz": 1, "wj_resident": 0, "xczx_monitor": 1, "jt_xueji": 1,
    }  # fmt: skip
