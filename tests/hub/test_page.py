"""hub/printing/page.py: a page is its row, whatever stands in it."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from hub.printing.content import canonical
from hub.printing.page import TEMPLATES, Cells, paper, qr_of
from store.prints import Printed

GOLDEN = Path(__file__).parents[1] / "journeys" / "prints" / "zhelai-town-01.decision.html"
ROW: dict[str, Any] = {
    "id": "c1",
    "caseNo": "SQ1",
    "item": "MIN_LIVING",
    "caseState": "CLOSED",
    "filedAt": "2026-03-06T10:30:00+08:00",
    "closedAt": None,
    "decision": "同意",
    "applicant": {"name": "陆云山"},
    "division": {"name": "者腊村委会"},
    "department": {"name": "民政局", "telephone": "1200532002"},
}
WORDS = {"ServiceItem.MIN_LIVING": "低保", "CaseState.CLOSED": "已办结"}


def printed(row: dict[str, Any], *fields: tuple[str, str], **words: str) -> Printed:
    named = [{"coordinate": c, "state": s, "count": 1} for c, s in fields]
    told = {"data": {"record": row}, "fields": named, "sandbox": False, "words": WORDS | words}
    return Printed(
        number="YS-2026-000001",
        code="2222-3333-4444-5555",
        kind="decision",
        subject="c1",
        template="decision/1",
        content=canonical(told),
        sha256="ab" * 32,
        printed_at=1_795_658_700_000_000,
        account="clerk",
        dept="rev",
        role="town",
        area="532622205",
        issuer="者腊乡",
        address="https://hub.example.invalid/verify/2222-3333-4444-5555",
        audit_idx=7,
    )


def text_of(page: bytes) -> str:
    return page.decode()


def test_one_row_gives_the_same_bytes_again() -> None:
    assert paper(printed(ROW)) == paper(printed(ROW))


def test_the_style_on_the_page_is_the_one_its_policy_allows() -> None:
    page = paper(printed(ROW))
    (style,) = re.findall(r"<style>(.*?)</style>", text_of(page.body), re.DOTALL)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert page.csp.decode() == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert " style=" not in text_of(page.body)  # the policy takes none


def test_a_text_is_text_whatever_stands_in_it() -> None:
    bad = "<script>alert(1)</script>{{ 7*7 }}&amp;\"'"
    page = text_of(paper(printed({**ROW, "decision": bad})).body)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}&amp;amp;" in page


def test_what_is_withheld_says_so_and_an_empty_field_does_not() -> None:
    row = {**ROW, "decision": None, "applicant": None}
    page = text_of(
        paper(
            printed(
                row,
                ("Case.decision", "MASKED"),
                ("Citizen", "DENIED"),
                **{"Case.decision": "审批结论", "MASKED": "已脱敏"},
                **{"Citizen": "人员", "DENIED": "无权查看"},
            )
        ).body
    )
    assert '<th scope="row">审批结论</th><td class="long">［已脱敏］</td>' in page
    assert '<th scope="row">申请人</th><td>［无权查看］</td>' in page
    assert "审批结论（已脱敏）、人员（无权查看）。" in page
    assert '<th scope="row">办结时间</th><td></td>' in page


def test_a_row_that_is_not_there_is_no_blank() -> None:
    page = text_of(paper(printed({**ROW, "applicant": None, "department": None})).body)
    assert page.count("<td>［无］</td>") == 2


def test_a_name_the_template_does_not_know_is_a_fault() -> None:
    row = {name: value for name, value in ROW.items() if name != "decision"}
    with pytest.raises(UndefinedError):
        paper(printed(row))


def test_without_a_public_address_there_is_no_qr_code() -> None:
    page = text_of(paper(replace(printed(ROW), address="")).body)
    assert "<svg" not in page
    assert "核验：" not in page
    assert "2222-3333-4444-5555" in page


def test_the_sandbox_says_so_on_its_papers() -> None:
    told = json.loads(printed(ROW).content) | {"sandbox": True}
    page = text_of(paper(replace(printed(ROW), content=canonical(told))).body)
    assert "演示：人员均为虚构，本件不具效力" in page
    assert "演示" not in text_of(paper(printed(ROW)).body)


def test_every_page_has_number_and_code_in_its_foot_and_fits_a4() -> None:
    page = text_of(paper(printed(ROW)).body)
    (foot,) = re.findall(r"<tfoot.*?</tfoot>", page, re.DOTALL)
    assert "YS-2026-000001" in foot
    assert "2222-3333-4444-5555" in foot
    assert "size: A4;" in page
    assert "counter(page)" in page


def test_a_qr_code_is_a_picture_alone() -> None:
    made = qr_of("https://hub.example.invalid/verify/2222-3333-4444-5555")
    assert {*re.findall(r"<(\w+)", made)} == {"svg", "title", "path"}
    assert "http" not in made


def test_cells_say_words_not_codes() -> None:
    cells = Cells({}, {"CaseState.CLOSED": "已办结"})
    assert (cells.word("CaseState", "CLOSED"), cells.word("CaseState", None)) == ("已办结", "")


def test_templates_reach_nothing_elsewhere_and_run_nothing() -> None:
    for file in TEMPLATES.iterdir():
        text = file.read_text(encoding="utf-8")
        for word in ("<script", "://", "src=", "url(", "|safe", "| safe", "autoescape", "onclick"):
            assert word not in text, (file.name, word)
