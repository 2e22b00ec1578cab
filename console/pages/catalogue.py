"""数据目录: what is shared, by whom, on which basis; its fields and a query that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.page import (
    ROOT,
    Address,
    Answer,
    Column,
    Facts,
    Field,
    Filters,
    Note,
    Page,
    Row,
    Table,
    View,
)
from console.words import Words


def _to_dataset(row: Row) -> str:
    return f"{ROOT}/catalogue/{row['name']}"


LISTED = (
    Column("名称", "title", link=_to_dataset),
    Column("代码", "name", kind="code"),
    Column("提供单位", "provider.shortName"),
    Column("共享属性", "sharingKind", code="SharingKind"),
    Column("更新周期", "updateCycle", code="UpdateCycle"),
    Column("接口类型", "typeName", kind="code"),
    Column("摘要", "description"),
)
ONE = (
    Column("代码", "name", kind="code"),
    Column("摘要", "description"),
    Column("提供单位", "provider.name"),
    Column("咨询电话", "provider.phone"),
    Column("共享属性", "sharingKind", code="SharingKind"),
    Column("共享条件", "sharingCondition"),
    Column("依据", "legalBasis", kind="basis"),
    Column("更新周期", "updateCycle", code="UpdateCycle"),
    Column("接口类型", "typeName", kind="code"),
    Column("授权对象", "object", kind="code"),
)
FIELDS = (
    Column("信息项", "name", kind="code"),
    Column("中文名称", "title"),
    Column("数据类型", "valueType", kind="code"),
    Column("敏感级别", "sensitivity", code="Sensitivity"),
    Column("脱敏方式", "mask", code="Mask"),
    Column("授权对象", "object", kind="code"),
)


def _of_provider(address: Address) -> Mapping[str, Any]:
    return {"provider": address.word("provider")}


def _list(answer: Answer, address: Address, words: Words) -> View:
    departments = [(one.code, one.short) for one in words.catalog.departments.values()]
    filters = Filters(
        "筛选",
        address.path,
        [
            Field(
                "provider",
                "提供单位",
                address.word("provider") or "",
                [("", "全部"), *departments],
            ),
            Field(
                "sharing",
                "共享属性",
                address.word("sharing") or "",
                words.choices("SharingKind"),
            ),
            Field("text", "关键词", address.word("text") or "", hint="名称、代码或摘要"),
        ],
    )
    rows = [row for row in answer.nodes("datasets") if _wanted(row, address)]
    table = Table("数据目录", LISTED, rows, total=len(rows))
    return View("数据目录", [filters, table], table)


def _wanted(row: Row, address: Address) -> bool:
    """Chosen from the public list itself, as its reader would with his eyes."""
    kind, text = address.word("sharing"), (address.word("text") or "").casefold()
    said = f"{row['title']} {row['name']} {row['description']}".casefold()
    return kind in (None, row["sharingKind"]) and text in said


def _named(address: Address) -> Mapping[str, Any]:
    return {"name": address.parts["name"]}


def _one(answer: Answer, _address: Address, words: Words) -> View:
    found = answer.data["dataset"]
    if found is None:
        return View("数据目录", [Note("没有此目录项")])
    fields = Table("字段字典", FIELDS, found["fields"] or ())
    asked = words.sample(found["typeName"])
    shown = [] if asked is None else [Note(asked, "示例查询", code=True)]
    return View(found["title"], [Facts("说明", ONE, found), fields, *shown], fields)


PAGES = (
    Page("/catalogue", "数据目录", "catalogue", _list, _of_provider, datasets=("dataset",)),
    Page("/catalogue/{name}", "数据目录", "dataset", _one, _named, datasets=("dataset_field",)),
)
