"""hub/printing/content.py: what a print holds, and when it shows more than somebody may see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.load import load
from hub.printing.content import canonical, content_of, record_of, shows_more
from resolvers.answer import Answer
from resolvers.plan import Disclosure

TOLD = Disclosure("query", None, "", (), "OK", None)


def answer(data: dict[str, Any], *fields: tuple[str, str, int]) -> Answer:
    named = [{"coordinate": c, "state": s, "count": n} for c, s, n in fields]
    return Answer({"record": data}, True, (), {"fields": named, "cost": 3}, TOLD)


def content(data: dict[str, Any], *fields: tuple[str, str, int]) -> dict[str, Any]:
    return dict(content_of(answer(data, *fields), load()))


CASE = {"id": "c1", "item": "MIN_LIVING", "applicant": {"name": "陆云山"}, "events": {"nodes": [1]}}


def test_the_answer_is_kept_with_the_words_its_codes_are_printed_in() -> None:
    events = {"nodes": [{"caseState": "SUBMITTED"}, {"caseState": "CLOSED"}]}
    found = content({**CASE, "events": events}, ("Case.decision", "MASKED", 1))
    assert found == {
        "data": {"record": {**CASE, "events": events}},
        "fields": [{"coordinate": "Case.decision", "state": "MASKED", "count": 1}],
        "sandbox": False,
        "words": {
            "CaseState.CLOSED": "已办结",
            "CaseState.SUBMITTED": "已提交",
            "ServiceItem.MIN_LIVING": "低保",
            "Case.decision": "审批结论",
            "MASKED": "已脱敏",
        },
    }
    assert record_of(found) == found["data"]["record"]


def test_a_whole_type_that_is_denied_has_its_title() -> None:
    words = content({**CASE, "applicant": None}, ("Citizen", "DENIED", 0))["words"]
    assert (words["Citizen"], words["DENIED"]) == ("人员", "无权查看")


def test_equal_contents_have_one_text() -> None:
    one, other = {"b": {"d": 1, "c": "低保"}, "a": []}, {"a": [], "b": {"c": "低保", "d": 1}}
    assert canonical(one) == canonical(other) == '{"a":[],"b":{"c":"低保","d":1}}'
    assert json.loads(canonical(one)) == one


BODY, NAME = "Case.body", "Citizen.name"
M, D = "MASKED", "DENIED"


@pytest.mark.parametrize(
    ("then", "now", "more"),
    [
        ([], [], False),
        ([(BODY, M, 1)], [], False),
        ([(BODY, M, 1)], [(BODY, M, 1)], False),
        ([], [(BODY, M, 1)], True),
        ([(BODY, M, 1)], [(BODY, D, 1)], True),
        ([(BODY, D, 1)], [(BODY, M, 1)], False),
        ([(BODY, M, 1)], [(NAME, M, 1)], True),
        ([(BODY, M, 1)], [(BODY, M, 2)], True),
        ([(BODY, M, 1), (BODY, D, 1)], [(BODY, M, 2)], False),
        ([], [("Citizen", D, 0)], True),
    ],
)
def test_a_print_shows_more_if_anything_it_shows_is_withheld_now(
    then: list[tuple[str, str, int]], now: list[tuple[str, str, int]], more: bool
) -> None:
    assert shows_more(content(CASE, *then), content(CASE, *now)) is more


@pytest.mark.parametrize(
    ("now", "more"),
    [
        ({**CASE, "item": "TEMP_AID"}, False),
        ({**CASE, "events": {"nodes": [1, 2]}}, False),
        ({**CASE, "applicant": None}, True),
        ({**CASE, "events": {"nodes": []}}, True),
        ({**CASE, "events": None}, True),
        ({**CASE, "closedAt": None}, False),
    ],
)
def test_a_print_shows_more_if_a_row_of_it_is_gone(now: dict[str, Any], more: bool) -> None:
    then = content({**CASE, "closedAt": "2026-04-15T15:37:52+08:00"})
    assert shows_more(then, content({"closedAt": None, **now})) is more
