"""The one wrapper of the library: its verdicts and its model. Known defects: test_defects.py."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from authz.engine import MODEL_FILE, Judge, read_model
from authz.errors import ModelChanged
from authz.post import Post

DAY = date(2026, 11, 1)
CLERK = Post("mca", "town", "532622105", frozenset({"town"}))
ALLOW = (
    "town", "*", "Citizen.basic", "read", "subtree", "any", "*", "9999-12-31", "allow",
)  # fmt: skip


def ask(lines: list[tuple[str, ...]], row: str = "532622105203") -> bool:
    judge = Judge(lines, read_model())
    return judge.allows((CLERK,), "Citizen.basic", "read", "aid.review", DAY, row, "rev")


def test_an_allow_allows_and_a_deny_wins() -> None:
    deny = ("*", "*", "Citizen.*", "read", "532622105203", "any", "*", "9999-12-31", "deny")
    assert ask([ALLOW])
    assert not ask([ALLOW, deny])
    assert not ask([deny, ALLOW])
    assert ask([ALLOW, deny], row="532622105204")


def test_a_line_ends_with_its_day() -> None:
    assert ask([(*ALLOW[:-2], "2026-11-01", "allow")])
    assert not ask([(*ALLOW[:-2], "2026-10-31", "allow")])


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "model.conf"
    changed.write_text(MODEL_FILE.read_text(encoding="utf-8").replace("<=", ">="), encoding="utf-8")
    with pytest.raises(ModelChanged):
        read_model(changed)
