"""domain/notice.py: nothing that must not hang in a village gets into a notice (scenario i)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.items import FlowKind
from domain.notice import LONGEST, Draft, Entry, Fault, Finding, Notice, Rules, checked

RULES = Rules(
    villages=frozenset({"者腊村委会", "蚌蛾村委会"}),
    items={"MIN_LIVING": FlowKind.F1, "JOB_SEEKING": FlowKind.F3, "TEMP_AID": FlowKind.F1},
    illnesses=frozenset({"高血压", "癌", "HIV"}),
)
ENTRY = Entry("陆云山", "者腊村委会", "MIN_LIVING", "拟纳入，每月 1556.00 元")
DRAFT = Draft((ENTRY,), "者腊乡民政办", "3122105", date(2026, 11, 26), date(2026, 12, 3))
ID18 = "539922197704129912"


def found(result: str) -> list[tuple[Fault, int]]:
    """What is found in a result of one line."""
    draft = replace(DRAFT, entries=(replace(ENTRY, result=result),))
    told = checked(draft, RULES)
    if isinstance(told, Notice):
        return []
    assert {(one.field, one.entry) for one in told} == {("result", 1)}
    return [(one.fault, one.digits) for one in told if one.fault is not Fault.TEXT]


def test_what_may_hang_hangs_as_it_was_written() -> None:
    told = checked(DRAFT, RULES)
    assert told == Notice((ENTRY,), "者腊乡民政办", "3122105", DRAFT.since, DRAFT.until)


@pytest.mark.parametrize(
    "text",
    [
        "同意，每月 1556.00 元，共 4 人",
        "同意，一次性 20,000.00 元",
        "同意，一次性 200000.00 元",
        "同意，2026年12月起执行",
        "经第二次评议，十二人同意，三人弃权",
        "C级危房，拟修缮",
    ],
)
def test_sums_months_and_counts_are_no_numbers_of_anybody(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "fault", "digits"),
    [
        (ID18, Fault.ID_NUMBER, 18),
        ("53992219770412991X", Fault.ID_NUMBER, 17),
        ("53992219770412991ｘ", Fault.ID_NUMBER, 17),
        ("G" + ID18, Fault.ID_NUMBER, 18),
        ("539922770412991", Fault.ID_NUMBER, 15),
        (ID18 + "43", Fault.ID_NUMBER, 20),
        (ID18 + "43B1", Fault.ID_NUMBER, 20),
        (ID18 + "4312", Fault.ID_NUMBER, 22),
        ("５３９９２２１９７７０４１２９９１２", Fault.ID_NUMBER, 18),
        ("539922 19770412 9912", Fault.ID_NUMBER, 18),
        ("539922-1977-0412-9912", Fault.ID_NUMBER, 18),
        ("539922\n19770412\r\n9912", Fault.ID_NUMBER, 18),
        ("539922\u200b1977\u20600412\ufeff9912", Fault.ID_NUMBER, 18),
        ("539922、1977。0412，9912", Fault.ID_NUMBER, 18),
        ("五三九九二二一九七七〇四一二九九一二", Fault.ID_NUMBER, 18),
        ("伍叁玖玖贰贰壹玖柒柒零肆壹贰玖玖壹贰", Fault.ID_NUMBER, 18),
        ("⑤③⑨⑨②②①⑨⑦⑦⓪④①②⑨⑨①②", Fault.ID_NUMBER, 18),
        ("٥٣٩٩٢٢١٩٧٧٠٤١٢٩٩١٢", Fault.ID_NUMBER, 18),
        ("5ˉ3ˉ9ˉ9ˉ2ˉ2ˉ1ˉ9ˉ7ˉ7ˉ0ˉ4ˉ1ˉ2ˉ9ˉ9ˉ1ˉ2", Fault.ID_NUMBER, 18),
        ("联系 12810752549", Fault.PHONE, 11),
        ("联系 128 1075 2549", Fault.PHONE, 11),
        ("联系 （0876）3122105", Fault.PHONE, 11),
        ("联系 3122105", Fault.PHONE, 7),
        ("卡号 9999990000000000", Fault.BANK_ACCOUNT, 16),
        ("卡号 9999 9900 0000 0000 007", Fault.BANK_ACCOUNT, 19),
        (f"{ID18}，12810752549", Fault.NUMBER, 29),
        ("出生 1977-04-12", Fault.PHONE, 8),
        ("每月 1234567.00 元", Fault.PHONE, 9),
        ("138.88 888 888", Fault.PHONE, 11),
    ],
)
def test_a_number_is_found_however_it_is_written(text: str, fault: Fault, digits: int) -> None:
    assert found(f"同意，{text}") == [(fault, digits)]


@pytest.mark.parametrize(
    "text",
    ["患高血压", "患高 血 压", "患高\u200b血压", "肺癌手术", "hiv 阳性", "ＨＩＶ", "I10", "e11.9"],
)
def test_an_illness_is_found_however_it_is_written(text: str) -> None:
    assert found(f"同意，{text}") == [(Fault.ILLNESS, 0)]


def test_a_finding_never_holds_what_was_found() -> None:
    told = checked(replace(DRAFT, entries=(replace(ENTRY, result=ID18),)), RULES)
    assert told == (Finding(Fault.ID_NUMBER, "result", 1, 18),)
    assert ID18 not in repr(told)


@pytest.mark.parametrize(
    ("changed", "fault", "field"),
    [
        ({"name": "陆云山1"}, Fault.NAME, "name"),
        ({"name": "陆①"}, Fault.NAME, "name"),
        ({"name": "陆云山 "}, Fault.NAME, "name"),
        ({"name": ""}, Fault.NAME, "name"),
        ({"name": "云" * 31}, Fault.NAME, "name"),
        ({"village": "者腊"}, Fault.PLACE, "village"),
        ({"item": "JOB_SEEKING"}, Fault.ITEM, "item"),
        ({"item": "NONE"}, Fault.ITEM, "item"),
        ({"result": " "}, Fault.TEXT, "result"),
        ({"result": "同意\n拟纳入"}, Fault.TEXT, "result"),
        ({"result": "好" * (LONGEST + 1)}, Fault.TEXT, "result"),
    ],
)
def test_each_field_takes_what_it_is_for(changed: dict[str, str], fault: Fault, field: str) -> None:
    told = checked(replace(DRAFT, entries=(ENTRY, replace(ENTRY, **changed))), RULES)
    assert told == (Finding(fault, field, 2),)


@pytest.mark.parametrize("name", ["阿·依·古丽", "䶮㛃", "𣲗", "王一", "三宝"])
def test_a_name_may_be_any_name(name: str) -> None:
    assert isinstance(checked(replace(DRAFT, entries=(replace(ENTRY, name=name),)), RULES), Notice)


@pytest.mark.parametrize(
    "phone", ["12810752549", "0876-3122105", "３１２２１０５", "", "31", "电话"]
)
def test_objections_go_to_an_office_not_to_a_mobile(phone: str) -> None:
    assert checked(replace(DRAFT, phone=phone), RULES) == (Finding(Fault.CONTACT, "phone"),)


def test_a_notice_names_somebody_and_ends_after_it_begins() -> None:
    told = checked(replace(DRAFT, entries=(), until=DRAFT.since), RULES)
    assert told == (Finding(Fault.EMPTY, "entries"), Finding(Fault.PERIOD, "until"))


def test_the_office_is_searched_like_a_result() -> None:
    told = checked(replace(DRAFT, office="李某 12810752549"), RULES)
    assert told == (Finding(Fault.PHONE, "office", 0, 11),)


def test_everything_wrong_is_told_at_once() -> None:
    bad = Entry("1", "x", "y", ID18)
    told = checked(Draft((bad,), "", "", DRAFT.until, DRAFT.since), RULES)
    assert not isinstance(told, Notice)
    assert [one.fault for one in told] == [
        Fault.PERIOD,
        Fault.NAME,
        Fault.PLACE,
        Fault.ITEM,
        Fault.ID_NUMBER,
        Fault.TEXT,
        Fault.CONTACT,
    ]


# ---- whichever text goes in ----------------------------------------------------------------------

LONG = re.compile(r"\d{11,}")
SIGNS = st.sampled_from("0123456789０５９٣५XxG 　-–—.,、/()\u200b\u2060\ufeff\n\r\t'’年的a")
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(SIGNS, max_size=60),
    st.lists(st.one_of(st.text(SIGNS, max_size=8), st.text(max_size=4)), max_size=8).map("".join),
)


def longest(text: str) -> list[str]:
    """An oracle of its own: numbers of eleven digits or more, whatever is not a letter left out."""
    plain = unicodedata.normalize("NFKC", text)
    kept = (
        c for c in plain if unicodedata.category(c)[0] in "LN" and unicodedata.category(c) != "Lm"
    )
    return LONG.findall("".join(kept))


@given(result=TEXTS, office=TEXTS, name=TEXTS, phone=st.one_of(TEXTS, st.just("3122105")))
@example(result=ID18, office="乡", name="陆", phone="3122105")
@example(result="123456", office="乡", name="陆", phone="1234567890")
def test_no_notice_ever_holds_a_number_of_eleven_digits(
    result: str, office: str, name: str, phone: str
) -> None:
    """A text beside a good draft, and all of them together."""
    whole = {"result": result, "name": name}
    drafts: tuple[tuple[Entry, dict[str, Any]], ...] = (
        (replace(ENTRY, result=result), {}),
        (replace(ENTRY, name=name), {}),
        (ENTRY, {"office": office}),
        (ENTRY, {"phone": phone}),
        (replace(ENTRY, **whole), {"office": office, "phone": phone}),
    )
    for entry, more in drafts:
        told = checked(replace(DRAFT, entries=(entry, entry), **more), RULES)
        if isinstance(told, Notice):
            for one in told.entries:
                assert [longest(text) for text in (one.name, one.result)] == [[], []]
            assert [longest(text) for text in (told.office, told.phone)] == [[], []]
        if longest(entry.result) or longest(more.get("office", "")):
            assert not isinstance(told, Notice)
