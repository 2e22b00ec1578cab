"""Records as a sheet for people: CSV with a BOM, so that Chinese shows in every program.

A cell that begins like a formula gets an apostrophe in front: a sheet must never compute
what a client once called itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from audit.keyring import SHANGHAI
from audit.subjects import seen_count

BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

HEADINGS = {
    "序号": "idx",
    "时间": "ts",
    "类别": "kind",
    "结果": "outcome",
    "原因代码": "code",
    "账号": "actor",
    "单位": "org",
    "角色": "role",
    "岗位辖区": "post_area",
    "应用": "client",
    "来源地址": "ip",
    "请求": "request",
    "操作": "op",
    "用途": "purpose",
    "依据": "basis",
    "诉求编号": "case",
    "辖区": "area",
    "行数": "rows",
    "人数": "subjects",
    "应急": "break_glass",
    "策略版本": "policy",
    "关联": "ref",
    "编号": "id",
}
FIELDS = tuple(HEADINGS.values())


def line(body: Mapping[str, Any]) -> str:
    """One record as a line of the sheet."""
    return _written([cell(_value(body, field)) for field in FIELDS])


def heading() -> str:
    """The first line, behind the BOM."""
    return BOM + _written(list(HEADINGS))


def cell(text: str) -> str:
    """`text`, made harmless."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _value(body: Mapping[str, Any], field: str) -> str:
    if field == "ts":
        at = datetime.fromtimestamp(body["ts"] // 1_000_000, UTC).astimezone(SHANGHAI)
        return at.strftime("%Y-%m-%d %H:%M:%S")
    if field == "op":
        return str(body.get("op", {}).get("name", ""))
    if field == "subjects":
        return str(seen_count(body))
    if field == "break_glass":
        return "是" if body.get("break_glass") else ""
    return str(body.get(field, "0" if field == "rows" else ""))


def _written(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
