"""Look-ups are counted per alias, before anybody is asked; who finds nobody is stopped sooner."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.app import DOCUMENT_LIMITS
from resolvers.answer import Answer, Engine

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

LOOK = "query Q($n: String!) { citizen(by: {idNumber: $n}) { id } }"
NOBODY = "53992219800101999X"


class Counted:
    """Counters of one account; refuses from `left` look-ups on."""

    def __init__(self, left: int) -> None:
        self.left, self.missed_ = left, 0
        self.asked: list[tuple[str, int]] = []

    async def take(self, principal_id: str, count: int) -> bool:
        self.asked.append((principal_id, count))
        if count > self.left:
            return False
        self.left -= count
        return True

    async def missed(self, _principal_id: str, count: int) -> None:
        self.missed_ += count


def counting(desk: Desk, left: int, *, json_mode: bool = True) -> tuple[Engine, Counted]:
    counted = Counted(left)
    setting = replace(desk.setting, lookups=counted)
    return Engine(desk.bindings, setting, DOCUMENT_LIMITS, json_mode=json_mode), counted


def refused(answer: Answer) -> bool:
    codes = [(e["extensions"]["code"], e["extensions"].get("reason")) for e in answer.errors]
    return codes == [("FORBIDDEN", "QUOTA")]


def test_each_alias_is_a_look_up(desk: Desk) -> None:
    engine, counted = counting(desk, 3)
    number = desk.site.shown("zhelai").id18
    two = (
        "query Q($n: String!) { a: citizen(by: {idNumber: $n}) { id }"
        ' b: citizen(by: {idNumber: $n}) { name } division(code: "532622205000") { name } }'
    )
    answer = desk.ask(engine, "zhelai-town-01", two, {"n": number})
    assert answer.errors == ()
    assert counted.asked == [("zhelai-town-01", 2)]
    again = desk.ask(engine, "zhelai-town-01", two, {"n": number})
    assert refused(again)


def test_a_refusal_asks_nobody_and_says_who_was_sought(desk: Desk) -> None:
    engine, counted = counting(desk, 0)
    number, before = desk.site.shown("zhelai").id18, desk.sent()
    answer = desk.ask(engine, "zhelai-town-01", LOOK, {"n": number})
    assert refused(answer)
    assert (answer.data, answer.executed, desk.sent() - before) == (None, False, 0)
    told = answer.disclosure
    assert (told.outcome, told.code, told.reads) == ("DENIED", "FORBIDDEN", ())
    assert told.sought == (desk.setting.uid(number),)
    assert counted.missed_ == 0
    assert number not in repr(answer)


def test_finding_nobody_is_told(desk: Desk) -> None:
    engine, counted = counting(desk, 9)
    for number in (NOBODY, desk.site.shown("bange").id18):  # unknown, and another township's
        answer = desk.ask(engine, "zhelai-town-01", LOOK, {"n": number})
        assert answer.data == {"citizen": None}
    desk.ask(engine, "zhelai-town-01", LOOK, {"n": desk.site.shown("zhelai").id18})
    assert (counted.asked, counted.missed_) == ([("zhelai-town-01", 1)] * 3, 2)


def test_by_key_and_by_list_nobody_is_looked_up(desk: Desk) -> None:
    engine, counted = counting(desk, 0)
    person = desk.site.shown("zhelai")
    for text in (
        f'{{ citizen(by: {{id: "{person.citizen}"}}) {{ id }} }}',
        "{ cases { nodes { id } } }",
    ):
        assert desk.ask(engine, "zhelai-town-01", text).errors == ()
    assert counted.asked == []


def test_who_may_not_look_up_takes_nothing(desk: Desk) -> None:
    engine, counted = counting(desk, 9)
    answer = desk.ask(engine, "auditor-01", LOOK, {"n": NOBODY})
    assert [e["extensions"]["code"] for e in answer.errors] == ["FORBIDDEN"]
    assert counted.asked == []


def test_an_answer_that_needs_rows_is_counted_once(desk: Desk) -> None:
    engine, counted = counting(desk, 1)
    text = (
        "query Q($n: String!) { citizen(by: {idNumber: $n}) { id"
        " cases(first: 1000) { nodes { caseNo } } } }"
    )
    answer = desk.ask(engine, "zhelai-town-01", text, {"n": desk.site.shown("zhelai").id18})
    # A page that is refused at its own path makes a second run in row mode.
    assert [e["extensions"]["reason"] for e in answer.errors] == ["PAGE_SIZE"]
    assert counted.asked == [("zhelai-town-01", 1)]
