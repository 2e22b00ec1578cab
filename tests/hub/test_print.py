"""hub/cli/print.py: the verbs, as an officer types them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.printing.page import paper
from store.engine import single
from store.prints import Printed, by_number, printed_record
from tests.sites import copied
from tests.trusted import PATIENT

Run = Callable[..., Any]
NUMBER = "YS-2026-000001"
NOTICE = """
office = "者腊乡民政办"
phone = "3122105"
since = 2026-11-26
until = 2026-12-03
[[entries]]
name = "陆云山"
village = "者腊村委会"
item = "MIN_LIVING"
result = "{}"
"""


async def _printed(site: Site) -> Printed:
    async with running(assemble(site.settings(None, **PATIENT))) as hub:
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            token = hub.tokens.issue("zhelai-town-01", ("aid.file",))
            body = {"caseNo": "SQ20520190001"}
            headers = {"Authorization": f"Bearer {token}"}
            made = await client.post("/print/decision", json=body, headers=headers)
            assert made.status_code == 201
        async with hub.store.connect() as connection:
            number = await connection.scalar(select(printed_record.c.number))
            found = await by_number(connection, str(number))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def desk(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Printed]:
    """A demonstration with one print."""
    copy = copied(site, tmp_path_factory.mktemp("print") / "site")
    return copy, asyncio.run(_printed(copy))


def test_a_genuine_code_is_told_and_nobody_named(hub: Run, desk: tuple[Site, Printed]) -> None:
    site, printed = desk
    ran = hub("print", "verify", printed.code.lower(), "--dir", site.folder)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"真件：审批决定书 {printed.number}，")
    assert printed.sha256 in ran.out
    assert "陆云山" not in ran.out
    asked = ("print", "verify", printed.code, "--dir", site.folder, "--json")
    told = json.loads(hub(*asked, "--sha256", printed.sha256).out)
    assert (told["genuine"], told["number"]) == (True, printed.number)


def test_a_code_or_digest_that_does_not_fit_is_one_line_and_exit_1(
    hub: Run, desk: tuple[Site, Printed]
) -> None:
    site, printed = desk
    for more in (("x",), ("2222-2222-2222-2222",), (printed.code, "--sha256", "0" * 64)):
        ran = hub("print", "verify", *more, "--dir", site.folder)
        assert (ran.code, ran.out, ran.err) == (1, "", "不是真件\n")


def test_a_page_that_was_altered_does_not_verify(
    hub: Run, desk: tuple[Site, Printed], tmp_path: Path
) -> None:
    site, printed = desk
    page = paper(printed).body
    for name, content, code in (
        ("same.html", page, 0),
        ("other.html", page.replace("同意".encode(), "拒绝".encode()), 1),
        ("more.html", page + b"\n", 1),
    ):
        (tmp_path / name).write_bytes(content)
        asked = ("print", "verify", printed.code, "--file", tmp_path / name)
        assert hub(*asked, "--dir", site.folder).code == code, name


def test_show_tells_where_a_print_stands_but_neither_content_nor_code(
    hub: Run, desk: tuple[Site, Printed]
) -> None:
    site, printed = desk
    ran = hub("print", "show", printed.number, "--dir", site.folder, "--json")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told == {
        "number": printed.number,
        "kind": "审批决定书",
        "date": told["date"],
        "department": "砚山县政府救助平台领导小组办公室（者腊乡）",
        "account": "zhelai-town-01",
        "template": "decision/1",
        "sha256": printed.sha256,
        "audit": printed.audit_idx,
        "sound": True,
    }
    plain = hub("print", "show", printed.number, "--dir", site.folder)
    for secret in (printed.code, "陆云山", "SQ20520190001"):
        assert secret not in plain.out + ran.out
    none = hub("print", "show", "YS-2026-999999", "--dir", site.folder)
    assert (none.code, none.err) == (1, "没有编号为 `YS-2026-999999` 的打印件\n")


def test_show_says_that_a_print_was_changed(
    hub: Run, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = copied(site, tmp_path_factory.mktemp("changed") / "site")
    printed = asyncio.run(_printed(copy))

    async def change() -> None:
        async with single(copy.store_url) as connection:
            await connection.execute(text("DROP TRIGGER printed_record_no_update"))
            await connection.execute(text("UPDATE printed_record SET content = '{}'"))

    asyncio.run(change())
    ran = hub("print", "show", printed.number, "--dir", copy.folder)
    assert ran.code == 1
    assert ran.err == "留存件与其摘要或访问记录不符：请告知审计员\n"


def test_a_notice_is_made_of_a_file(hub: Run, desk: tuple[Site, Printed], tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_text(NOTICE.format("拟纳入"), encoding="utf-8")
    asked = ("print", "notice", tmp_path / "n.toml", "--out", tmp_path / "n.html")
    ran = hub(*asked, "--dir", desk[0].folder)
    assert (ran.code, ran.out) == (0, "已写入 n.html：1 人\n")
    assert "陆云山" in (tmp_path / "n.html").read_text(encoding="utf-8")


def test_a_notice_with_a_number_in_it_is_not_written_and_the_number_not_said(
    hub: Run, desk: tuple[Site, Printed], tmp_path: Path
) -> None:
    text_ = NOTICE.format("拟纳入 ５３９９２２ 19770412 9912，患高血压")
    (tmp_path / "n.toml").write_text(text_, encoding="utf-8")
    asked = ("print", "notice", tmp_path / "n.toml", "--out", tmp_path / "n.html")
    ran = hub(*asked, "--dir", desk[0].folder)
    assert ran.code == 1
    assert ran.err == (
        "第 1 人的结果：含疑似证件号码（18 位数字）\n第 1 人的结果：含疾病或残疾信息\n"
    )
    assert not (tmp_path / "n.html").exists()


@pytest.mark.parametrize("content", ["office = ", 'office = "乡"', "\udcff"])
def test_a_file_that_is_no_notice_is_one_line(
    hub: Run, desk: tuple[Site, Printed], tmp_path: Path, content: str
) -> None:
    (tmp_path / "n.toml").write_bytes(content.encode(errors="surrogateescape"))
    asked = ("print", "notice", tmp_path / "n.toml", "--out", tmp_path / "n.html")
    ran = hub(*asked, "--dir", desk[0].folder)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
