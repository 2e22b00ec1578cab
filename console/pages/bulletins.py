"""统计通报: frozen months and their figures, and the quarter's 红黑榜."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from console.charts import bars
from console.page import (
    ROOT,
    Address,
    Answer,
    Block,
    Column,
    Field,
    Filters,
    Note,
    Page,
    Row,
    Tab,
    Table,
    Tabs,
    View,
)
from console.pages.cases import paged
from console.words import Words

FIRST_FIGURE = "applications"


def _to_month(row: Row) -> str:
    return f"{ROOT}/bulletins/{row['month']}"


MONTHS = (
    Column("月份", "month", link=_to_month),
    Column("冻结时间", "frozenAt", kind="moment"),
    Column("口径", "edition", kind="code"),
    Column("正文摘要", "sha256", kind="code"),
    Column("输入摘要", "inputsSha256", kind="code"),
)
FIGURES = (
    Column("分组", "group"),
    Column("指标", "figure", code="FigureCode"),
    Column("数值", "value", kind="number"),
    Column("为空的原因", "absent", code="FigureAbsence"),
)
PLACES = (
    Column("季度", "quarter"),
    Column("分组", "kind", code="BulletinGroup"),
    Column("名称", "group"),
    Column("名次", "rank", kind="number"),
    Column("得分", "score", kind="number"),
    Column("榜", "list", code="RankingList"),
    Column("申请量", "cases", kind="number"),
    Column("不参加的原因", "reason", code="RankingReason"),
    Column("无数的项", "missing"),
)


def _list(answer: Answer, _address: Address, _words: Words) -> View:
    found = answer.nodes("bulletins")
    info, total = answer.info("bulletins"), answer.total("bulletins")
    table = Table("月度通报", MONTHS, found, info, total, "尚无冻结的通报")
    return View("月度通报", [table, Note("通报冻结后不再改动，以后的变化另列为调整。")], table)


def _kind(address: Address, words: Words | None = None) -> str:
    kind = address.word("kind") or "COUNTY"
    return kind if words is None or kind in words.catalog.codes["BulletinGroup"] else "COUNTY"


def _of_month(address: Address) -> Mapping[str, Any]:
    chosen = {"month": address.parts["month"], "kind": _kind(address)}
    if chosen["kind"] != "COUNTY":
        chosen["figure"] = address.word("figure") or FIRST_FIGURE
    return {"filter": chosen, "first": address.most, "after": address.word("after")}


def _named(rows: list[Row], words: Words) -> list[Row]:
    says: Mapping[str, Callable[[str | None], str]] = {
        "COUNTY": words.division,
        "TOWNSHIP": words.division,
        "DEPARTMENT": words.department,
        "ITEM": partial(words.code, "ServiceItem"),
    }
    return [{**row, "group": says[row["kind"]](row["code"])} for row in rows]


def _month(answer: Answer, address: Address, words: Words) -> View:
    kind, month = _kind(address, words), address.parts["month"]
    kinds = words.catalog.codes["BulletinGroup"].items()
    tabs = Tabs(
        "分组",
        [Tab(t, address.link(kind=c, after=None), c == kind) for c, t in kinds],
    )
    rows = _named(answer.nodes("bulletinFigures"), words)
    info, total = answer.info("bulletinFigures"), answer.total("bulletinFigures")
    table = Table(f"{month} {words.code('BulletinGroup', kind)}", FIGURES, rows, info, total)
    blocks: list[Block] = [tabs]
    if kind != "COUNTY":
        figure = address.word("figure") or FIRST_FIGURE
        blocks.append(
            Filters(
                "指标",
                address.path,
                [
                    Field("kind", "", kind, kind="hidden"),
                    Field("figure", "指标", figure, words.choices("FigureCode")[1:]),
                ],
                "显示",
            )
        )
        drawn = [(row["group"], row["value"]) for row in rows if row["value"] is not None]
        if drawn:
            blocks.append(bars(f"{month} {words.code('FigureCode', figure)}", drawn))
    return View(f"{month} 月度通报", [*blocks, table], table)


def _ranked(address: Address) -> Mapping[str, Any]:
    names = ("quarter", "kind", "list")
    chosen = {name: address.word(name) for name in names if address.word(name)}
    return {"filter": chosen or None, **paged(address)}


def _ranking(answer: Answer, address: Address, words: Words) -> View:
    groups = [o for o in words.choices("BulletinGroup") if o[0] in ("", "TOWNSHIP", "DEPARTMENT")]
    filters = Filters(
        "筛选",
        address.path,
        [
            Field("quarter", "季度", address.word("quarter") or "", hint="如 2026-Q4"),
            Field("kind", "分组", address.word("kind") or "", groups),
            Field("list", "榜", address.word("list") or "", words.choices("RankingList")),
        ],
    )
    rows = _named(answer.nodes("rankings"), words)
    info, total = answer.info("rankings"), answer.total("rankings")
    table = Table("季度红黑榜", PLACES, rows, info, total, "尚无已发布的红黑榜")
    return View("季度红黑榜", [filters, table], table)


PAGES = (
    Page(
        "/bulletins",
        "月度通报",
        "bulletins",
        _list,
        paged,
        datasets=("monthly_bulletin",),
    ),
    Page(
        "/bulletins/{month}",
        "月度通报",
        "bulletin",
        _month,
        _of_month,
        datasets=("bulletin_figure",),
    ),
    Page("/ranking", "季度红黑榜", "ranking", _ranking, _ranked, datasets=("ranking_place",)),
)
