"""A page's table as a file: whose it is, what the log has of it, what a spreadsheet makes of it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from console.sheets import as_csv, as_xlsx
from store.audit import audit_event
from tests.console.conftest import Browser, browser, said
from tests.trusted import Edge

pytestmark = pytest.mark.anyio


async def at_desk(edge: Edge, account: str) -> Browser:
    made = browser(edge)
    await made.sign_in(account)
    return made


async def since(edge: Edge, before: int, actor: str) -> list[dict[str, Any]]:
    """The records of an account after so many."""
    wanted = select(audit_event.c.body).order_by(audit_event.c.idx).offset(before)
    async with edge.hub.store.connect() as conn:
        found = [json.loads(body) for body in await conn.scalars(wanted)]
    return [one for one in found if one.get("actor") == actor]


def lines(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


async def test_the_officers_file_is_told_before_it_is_read_and_before_it_leaves(
    edge: Edge,
) -> None:
    desk = await at_desk(edge, "auditor-01")
    before = len(await edge.records())
    file = await desk.get("/audit?actor=auditor-01&format=csv")
    assert file.status_code == 200
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    head, *rows, mark = lines(file.content)
    assert head[:3] == ["序号", "时间", "类别"]
    assert {row[5] for row in rows} == {"auditor-01"}
    intent, read, result = await since(edge, before, "auditor-01")
    assert intent["kind"] == "EXPORT_INTENT"
    assert intent["op"] == {"name": "audit", "type": "query", "vars": {"page.file": "csv"}}
    assert read["kind"] == "AUDIT_READ"
    assert read["op"]["vars"]["page.file"] == "csv"
    assert read["rows"] == len(rows)
    assert result["kind"] == "EXPORT_RESULT"
    assert result["op"]["vars"] == {"page.file": "csv", "rows": len(rows)}
    assert result["ref"] == str(intent["idx"])
    assert result["session"] == read["session"] == intent["session"]
    assert file.headers["x-audit-id"] == str(result["idx"])
    assert mark == [
        f"导出：auditor-01，请求编号 {result['request']}，审计序号 {result['idx']}，"
        f"共 {len(rows)} 行"
    ]


async def test_who_may_see_cases_but_not_take_them_out_gets_no_file(edge: Edge) -> None:
    desk = await at_desk(edge, "office-01")
    for path in ("/board", "/cases", "/orders", "/cases/SQ20520190001"):
        before = len(await edge.records())
        page = await desk.get(f"{path}?format=csv")
        assert page.status_code == 403, path
        assert "不能以此用途导出" in said(page)
        (refused,) = await since(edge, before, "office-01")
        assert (refused["kind"], refused["outcome"]) == ("READ", "DENIED")
        assert "reads" not in refused  # nothing was fetched
        assert "format" not in page.text  # the foot leads back to the page


async def test_an_open_table_leaves_with_its_reading_alone(edge: Edge) -> None:
    desk = await at_desk(edge, "authority-01")
    before = len(await edge.records())
    file = await desk.get("/catalogue?provider=mca&format=xlsx")
    assert file.status_code == 200
    (read,) = await since(edge, before, "authority-01")
    assert (read["kind"], read["op"]["vars"]["page.file"]) == ("READ", "xlsx")
    sheet = load_workbook(io.BytesIO(file.content)).active
    rows = list(sheet.iter_rows(values_only=True))
    provided = [d for d in edge.hub.catalog.datasets.values() if d.provider == "mca"]
    assert [row[1] for row in rows[1:-1]] == sorted(d.name for d in provided)
    assert rows[0][:3] == ("名称", "代码", "提供单位")
    assert rows[-1][0].startswith("导出：authority-01，请求编号 ")
    assert sheet.print_title_rows == "$1:$1"


async def test_a_file_holds_all_pages_of_a_list(edge: Edge) -> None:
    desk = await at_desk(edge, "zhelai-town-01")
    before = len(await edge.records())
    for _ in range(101):
        await desk.get("/sources")
    file = await desk.get("/own/history?format=csv")
    _, *rows, _ = lines(file.content)
    numbers = [int(row[0]) for row in rows]
    assert len(numbers) == len(set(numbers)) >= 102
    assert numbers == sorted(numbers, reverse=True)
    readings = [
        r
        for r in await since(edge, before, "zhelai-town-01")
        if r["op"].get("vars", {}).get("page.file") == "csv"
    ]
    assert len(readings) == -(-len(numbers) // edge.hub.settings.page_max)


async def test_a_page_of_no_table_has_no_file(edge: Edge) -> None:
    desk = await at_desk(edge, "auditor-01")
    page = await desk.get("/audit/integrity?format=csv")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "导出 CSV" not in page.text
    who = await desk.get("/audit/who?format=csv")
    assert who.status_code == 403


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x.invalid")')


def test_no_cell_is_a_formula() -> None:
    plain = ["陆云山", "<script>alert(1)</script>", '引号"与,逗号', "两\n行"]
    rows = [[text] for text in (*FORMULAS, *plain)]
    _, *told, _ = lines(as_csv(["列"], rows, "=记"))
    assert [line[0] for line in told] == [*(f"'{text}" for text in FORMULAS), *plain]
    book = load_workbook(io.BytesIO(as_xlsx(["列"], rows, "=记")))
    cells = [row[0] for row in book.active.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.value for cell in cells][: len(FORMULAS)] != []
    assert [c.value for c in cells if c.value in plain] == plain
