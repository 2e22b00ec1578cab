"""A sheet shows Chinese everywhere and computes nothing."""

from __future__ import annotations

import csv
import io

import pytest

from audit.drill import made
from audit.sheet import FIELDS, HEADINGS, cell, heading, line


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "zhelai-town-01", "532622205", "'=1"])
def test_other_texts_are_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_a_record_is_one_line_under_its_headings() -> None:
    body = {**made(60).bodies[5], "actor": '=cmd|x,"y"', "break_glass": True, "case": "诉-1"}
    named, row = csv.reader(io.StringIO(heading() + line(body)))
    assert named[0] == "\ufeff序号"
    told = dict(zip(HEADINGS, row, strict=True))
    assert told["账号"] == '\'=cmd|x,"y"'
    assert (told["序号"], told["类别"], told["操作"], told["人数"]) == (
        "5",
        "READ",
        "CitizenById",
        "1",
    )
    assert (told["时间"], told["应急"], told["诉求编号"], told["行数"]) == (
        "2026-09-21 22:13:27",
        "是",
        "诉-1",
        "1",
    )
    assert len(FIELDS) == len(row)
