"""A public notice (公示) as a page: the one renderer, of what `domain/notice.py` has passed.

It has no number and no code: it is no record of a case, and it hangs where anybody may copy it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from catalog.divisions import Level
from catalog.errors import Readable
from catalog.load import Catalog
from domain.notice import Draft, Entry, Fault, Finding, Notice, Rules
from hub.printing.page import rendered
from hub.release import Page

TEMPLATE = "notice.1"
MEMBERS = frozenset({"office", "phone", "since", "until", "entries"})
OF_AN_ENTRY = ("name", "village", "item", "result")
FIELDS = {
    "name": "姓名",
    "village": "村（社区）",
    "item": "事项",
    "result": "结果",
    "office": "异议受理单位",
    "phone": "异议受理电话",
    "until": "截止日期",
    "entries": "公示名单",
}
SAID = {
    Fault.ID_NUMBER: "含疑似证件号码",
    Fault.PHONE: "含疑似电话号码",
    Fault.BANK_ACCOUNT: "含疑似银行账号",
    Fault.NUMBER: "含过长的数字",
    Fault.ILLNESS: "含疾病或残疾信息",
    Fault.NAME: "须为姓名，不得含数字与符号",
    Fault.PLACE: "须为本县村（社区）的正式名称",
    Fault.ITEM: "须为须经公示的服务事项代码",
    Fault.TEXT: "须为一行文字，不得为空、换行或超过长度",
    Fault.CONTACT: "须为办公电话：3 至 10 位数字，不写区号，不得为手机号码",
    Fault.PERIOD: "须晚于起始日期",
    Fault.EMPTY: "不得为空",
}


class Unfit(Readable):
    """One Chinese line: what of a notice's file is not as it must be."""


def rules_of(catalog: Catalog) -> Rules:
    """What a notice is checked against."""
    return Rules(
        villages=frozenset(d.name for d in catalog.divisions if d.level is Level.VILLAGE),
        items={code: item.flow for code, item in catalog.items.items()},
        illnesses=catalog.illnesses,
    )


def draft_of(given: Mapping[str, Any]) -> Draft:
    """A notice as it stands in a file; a member too many is refused, whatever it is. Unfit."""
    if set(given) != MEMBERS or not isinstance(given["entries"], list):
        raise Unfit(f"公示须只含 {'、'.join(sorted(MEMBERS))}")
    entries = tuple(_entry(one, number) for number, one in enumerate(given["entries"], start=1))
    return Draft(
        entries,
        _text(given, "office", "公示"),
        _text(given, "phone", "公示"),
        _day(given, "since"),
        _day(given, "until"),
    )


def said(finding: Finding) -> str:
    """A finding in one line for whoever writes the notice; it never holds the text itself."""
    where = f"第 {finding.entry} 人的" if finding.entry else ""
    digits = f"（{finding.digits} 位数字）" if finding.digits else ""
    return f"{where}{FIELDS[finding.field]}：{SAID[finding.fault]}{digits}"


def public(notice: Notice, catalog: Catalog) -> Page:
    """The page of a notice."""
    items = {code: item.title for code, item in catalog.items.items()}
    return rendered(
        TEMPLATE,
        "paper.1",
        notice=notice,
        items=items,
        since=_written(notice.since),
        until=_written(notice.until),
    )


def _written(day: date) -> str:
    return f"{day:%Y年%m月%d日}"


def _entry(given: object, number: int) -> Entry:
    if not isinstance(given, dict) or set(given) != set(OF_AN_ENTRY):
        raise Unfit(f"第 {number} 人须只含 {'、'.join(OF_AN_ENTRY)}")
    return Entry(*(_text(given, name, f"第 {number} 人") for name in OF_AN_ENTRY))


def _text(given: Mapping[str, Any], name: str, where: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise Unfit(f"{where}的 {name} 须为文字")
    return value


def _day(given: Mapping[str, Any], name: str) -> date:
    value = given[name]
    if type(value) is not date:  # a datetime is a date, too
        raise Unfit(f"公示的 {name} 须为日期，如 2026-11-26")
    return value
