"""hub/printing/notice.py: the one renderer of public notices, file to page (scenario i)."""

from __future__ import annotations

import html
import re
import tomllib
import unicodedata
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.load import load
from domain.notice import Draft, Entry, Fault, Finding, Notice, checked
from hub.demo.sources.health import ICD10, SERIOUS
from hub.printing.notice import FIELDS, SAID, Unfit, draft_of, public, rules_of, said

CATALOG = load()
RULES = rules_of(CATALOG)
FILE = """
office = "者腊乡民政办"
phone = "3122105"
since = 2026-11-26
until = 2026-12-03
[[entries]]
name = "陆云山"
village = "者腊村委会"
item = "MIN_LIVING"
result = "拟纳入，每月 1556.00 元"
"""
GIVEN = tomllib.loads(FILE)
DRAFT = draft_of(GIVEN)
LONG = re.compile(r"\d{11,}")


def page_of(draft: Draft) -> str | None:
    """The page; None for a draft that is refused."""
    found = checked(draft, RULES)
    return public(found, CATALOG).body.decode() if isinstance(found, Notice) else None


def read(page: str) -> str:
    """All that can be read on the page, without what stands between letters and digits."""
    body = html.unescape(re.sub(r"<[^>]+>", "", page.partition("<body>")[2]))
    plain = unicodedata.normalize("NFKC", body)
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LN")


def test_a_notice_says_name_village_item_result_and_where_to_object() -> None:
    page = page_of(DRAFT)
    assert page is not None
    assert read(page) == (
        "公示现将下列人员的救助事项予以公示公示期自2026年11月26日至2026年12月03日"
        "姓名村社区事项结果陆云山者腊村委会低保拟纳入每月155600元"
        "公示期内如有异议请向者腊乡民政办反映电话3122105"
    )
    assert "<script" not in page


def test_a_text_is_text_whatever_stands_in_it() -> None:
    entry = replace(DRAFT.entries[0], result="<b>同意</b>")
    page = page_of(replace(DRAFT, entries=(entry,)))
    assert page is not None
    assert "&lt;b&gt;同意&lt;/b&gt;" in page


@pytest.mark.parametrize("name", ["idNumber", "phoneOfApplicant", "bankAccount", "id"])
def test_there_is_no_field_for_what_must_not_hang(name: str) -> None:
    with pytest.raises(Unfit, match="第 1 人须只含"):
        draft_of(GIVEN | {"entries": [GIVEN["entries"][0] | {name: "1"}]})
    with pytest.raises(Unfit, match="公示须只含"):
        draft_of(GIVEN | {name: "1"})
    assert {*Entry.__slots__} == {"name", "village", "item", "result"}


@pytest.mark.parametrize(
    "changed",
    [
        {"since": "2026-11-26"},
        {"since": datetime(2026, 11, 26)},  # noqa: DTZ001
        {"phone": 3122105},
        {"entries": ["陆云山"]},
        {"entries": {}},
    ],
)
def test_a_file_of_another_shape_is_one_line(changed: dict[str, Any]) -> None:
    with pytest.raises(Unfit) as refused:
        draft_of(GIVEN | changed)
    assert len(str(refused.value).splitlines()) == 1


def test_every_illness_of_the_health_department_is_a_word_nobody_may_read() -> None:
    for disease in (*ICD10, *ICD10.values(), *SERIOUS):
        entry = replace(DRAFT.entries[0], result=f"因{disease}拟纳入")
        assert checked(replace(DRAFT, entries=(entry,)), RULES) == (
            Finding(Fault.ILLNESS, "result", 1),
        ), disease


def test_no_word_of_the_catalogue_is_taken_for_an_illness() -> None:
    """Items with a notice, villages and offices can hang."""
    titles = [CATALOG.items[code].title for code in RULES.items]
    offices = [department.title for department in CATALOG.departments.values()]
    assert [one for one in (*titles, *RULES.villages, *offices) if RULES.ill(one)] == []


def test_every_finding_can_be_said_and_holds_no_value() -> None:
    assert {*SAID} == {*Fault}
    assert said(Finding(Fault.ID_NUMBER, "result", 2, 18)) == (
        "第 2 人的结果：含疑似证件号码（18 位数字）"
    )
    assert said(Finding(Fault.PERIOD, "until")) == "截止日期：须晚于起始日期"
    bad = Entry("1", "x", "y", "539922197704129912")
    found = checked(Draft((bad,), "", "", date(2026, 2, 1), date(2026, 1, 1)), RULES)
    assert not isinstance(found, Notice)
    assert {one.field for one in found} <= {*FIELDS}
    assert "539922" not in "".join(map(said, found))


SIGNS = st.sampled_from("0123456789０９xX. 　-,，\u200b\n年元a")
TEXTS = st.one_of(st.text(max_size=40), st.text(SIGNS, max_size=40))


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), TEXTS)
def test_no_page_holds_a_number_of_eleven_digits_whatever_goes_in(
    texts: list[tuple[str, str]], office: str
) -> None:
    """Neither in a field nor where two of them meet."""
    first = DRAFT.entries[0]
    for entries in (
        tuple(replace(first, result=result) for _, result in texts),
        tuple(replace(first, name=name, result=result) for name, result in texts),
    ):
        for who in (DRAFT.office, office):
            page = page_of(replace(DRAFT, entries=entries, office=who, phone="1234567890"))
            assert page is None or LONG.findall(read(page)) == []
