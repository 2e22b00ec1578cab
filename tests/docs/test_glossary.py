"""The glossary says every word of the catalogue, and none the catalogue does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from catalog.grades import Mask
from catalog.load import Catalog

PAGE = "docs/glossary.md"
UNCONFIRMED = "（待确认）"

Words = Mapping[str, str]


def _bases(catalog: Catalog) -> Words:
    return {
        code: b.title + (b.article or "") + ("" if b.confirmed else UNCONFIRMED)
        for code, b in catalog.legal_bases.items()
    }


def _titles(things: Mapping[str, Any]) -> Words:
    return {code: thing.title for code, thing in things.items()}


SECTIONS: Mapping[str, Callable[[Catalog], Words]] = {
    "部门 Departments": lambda c: _titles(c.departments),
    "数据源 Sources": lambda c: _titles(c.sources),
    "服务事项 Service items": lambda c: _titles(c.items),
    "用途 Purposes": lambda c: _titles(c.purposes),
    "依据 Legal bases": _bases,
    "授权对象 Authorisation objects": lambda c: _titles(c.objects),
    "数据集 Data sets": lambda c: _titles(c.datasets),
    "代码表 Code tables": lambda c: c.code_titles,
    "脱敏方式 Masks": lambda c: {m.value: c.codes["Mask"][m.value] for m in Mask},
    "敏感级别 Sensitivity": lambda c: c.codes["Sensitivity"],
    "共享属性 Sharing": lambda c: c.codes["SharingKind"],
    "更新周期 Update cycle": lambda c: c.codes["UpdateCycle"],
    "字段状态 Field states": lambda c: c.codes["FieldState"],
    "匹配等级 Match grades": lambda c: c.codes["MatchGrade"],
    "数据质量问题 Data quality": lambda c: c.codes["DQCode"],
    "行政层级 Levels": lambda c: c.codes["Level"],
}


@pytest.mark.parametrize("heading", SECTIONS)
def test_section_equals_the_catalogue(
    heading: str, page: Callable[[str], Any], catalog: Catalog
) -> None:
    rows = page(PAGE).rows(heading)
    told = {code.strip("`"): title for title, code in rows}
    assert told == dict(SECTIONS[heading](catalog))
    assert len(rows) == len(told)


def test_no_section_is_unknown(page: Callable[[str], Any]) -> None:
    assert page(PAGE).headings(2) == list(SECTIONS)
