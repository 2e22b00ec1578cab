"""docs/sandbox.md tells of every request of examples/sandbox, and of no code that is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalog.errors import HubError
from hub.demo.site import Site

PAGE = "docs/sandbox.md"
STATES = {"MASKED", "DENIED", "NO_RECORD", "STALE", "SOURCE_DOWN"}


def _cases(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (root / "examples/sandbox/cases.json").read_text(encoding="utf-8")
    )
    return found


def test_the_page_has_a_line_for_each_request_in_order(
    page: Callable[[str], Any], root: Path
) -> None:
    rows = page(PAGE).rows("每种回答各试一次")
    assert [row[0] for row in rows] == [case["name"] for case in _cases(root)]
    assert len(rows) == 26


def test_what_is_shown_and_what_is_not_are_codes_and_states_of_ours(
    page: Callable[[str], Any], root: Path
) -> None:
    codes = {kind.code for kind in HubError.__subclasses__()}
    shown = {case["expect"]["code"] for case in _cases(root) if "code" in case["expect"]}
    named = {case["name"].partition("：")[0] for case in _cases(root)}
    assert shown <= codes
    assert named & (codes | STATES) == (shown | STATES) - {"SOURCE_UNAVAILABLE"}
    absent = {row[0] for row in page(PAGE).rows("上表之外的")}
    assert absent <= codes
    assert absent & shown == set()


def test_the_people_of_the_page_are_those_of_the_county(
    page: Callable[[str], Any], site: Site
) -> None:
    told = {tuple(row[:2] + row[3:]) for row in page(PAGE).rows("固定的人")}
    assert {(d.id18, d.name, d.case_no) for d in site.demonstrations} < told
    assert len(told) == len(site.demonstrations) + 1
