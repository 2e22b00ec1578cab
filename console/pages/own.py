"""我的权限, 我的访问记录: what this post may see for this purpose, and what the log says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.page import Address, Answer, Column, Facts, Note, Page, Table, View
from console.pages.cases import paged
from console.words import Words

VIEWER = (
    Column("账号", "account", kind="code"),
    Column("用途", "purposeTitle"),
    Column("诉求编号", "caseNo", kind="code"),
    Column("策略版本", "policyVersion", kind="number"),
)
POSTS = (
    Column("部门", "department", kind="department"),
    Column("角色", "role", kind="role"),
    Column("辖区", "divisionName"),
)
RIGHTS = (
    Column("数据集", "title"),
    Column("提供单位", "provider", kind="department"),
    Column("按键读取", "read"),
    Column("列举", "list"),
    Column("明文", "clear"),
    Column("脱敏", "masked"),
    Column("隐藏", "hidden"),
    Column("不能读取的原因", "why"),
)
HISTORY = (
    Column("序号", "idx", kind="number"),
    Column("时间", "at", kind="moment"),
    Column("类别", "kind", code="AuditKind"),
    Column("结果", "outcome", code="AuditOutcome"),
    Column("代码", "decisionCode", kind="code"),
    Column("用途", "purpose", kind="purpose"),
    Column("关联编号", "caseRef", kind="code"),
    Column("操作", "operation", kind="code"),
    Column("行数", "rowCount", kind="number"),
    Column("人数", "subjectCount", kind="number"),
    Column("请求编号", "requestId", kind="code"),
)


def _rights(answer: Answer, _address: Address, words: Words) -> View:
    viewer = answer.data["viewer"]
    rows = sorted(words.rights(), key=lambda row: row["read"] != "可")
    table = Table("按数据集", RIGHTS, rows)
    told = Note(
        "按当前用途与诉求编号判定，与查询用同一套规则；换用途、附诉求编号后所见不同。"
        "逐行而定：随该行的辖区、本人是否未满十四周岁等而不同。"
    )
    return View(
        "我的权限",
        [Facts("身份", VIEWER, viewer), Table("岗位", POSTS, viewer["posts"]), table, told],
        table,
    )


def _history(answer: Answer, _address: Address, _words: Words) -> View:
    found = answer.nodes("myActivity")
    table = Table(
        "我的访问记录", HISTORY, found, answer.info("myActivity"), answer.total("myActivity")
    )
    return View("我的访问记录", [table], table)


def _page(address: Address) -> Mapping[str, Any]:
    return paged(address)


PAGES = (
    Page("/own/rights", "我的权限", "own_rights", _rights, datasets=("dataset",)),
    Page(
        "/own/history",
        "我的访问记录",
        "own_history",
        _history,
        _page,
        datasets=("own_activity",),
    ),
)
