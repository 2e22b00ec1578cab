"""Each row of the fault and tamper matrix names tests, and each of them is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = "docs/audit-matrix.md"
HEADING = "故障与篡改对照表"
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_row_is_there_and_names_its_tests(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows(HEADING)
    assert [row[0] for row in rows] == [str(number) for number in range(1, 22)]
    for number, done, holds, tests in rows:
        assert done, number
        assert holds, number
        assert _NAMED.sub("", tests).replace("·", "").strip() == "", number
        assert _NAMED.search(tests), number


def test_every_named_test_is_there(page: Callable[[str], Any], root: Path) -> None:
    named = _NAMED.findall(page(PAGE).text)
    assert len(named) > 40
    for file, function in named:
        known = _tests(root / file)
        assert known, file
        assert not function or function in known, f"{file}::{function}"


@pytest.mark.parametrize("other", ["docs/audit.md", "docs/index.md"])
def test_it_is_linked(page: Callable[[str], Any], other: str) -> None:
    assert "](audit-matrix.md)" in page(other).text


def _tests(path: Path) -> set[str]:
    """The tests of a file, by name; a file that is not there has none."""
    if not path.is_file():
        return set()
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in found if isinstance(node, kinds) and node.name[:5] == "test_"}
