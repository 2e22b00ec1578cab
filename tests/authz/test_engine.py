"""The wrapped library: what it must never do again (D1, D2, D3, D14)."""

from __future__ import annotations

import importlib.metadata
import logging
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


def test_the_model_without_lines_says_no() -> None:
    assert ask([]) is False


@pytest.mark.parametrize("effect", ["Deny", "DENY", "deny ", "reject"])
def test_the_library_ignores_an_unknown_effect(effect: str) -> None:
    # D1 fails open: this is why check_rule and the database refuse all four.
    assert ask([ALLOW, (*ALLOW[:-1], effect)])


def test_a_line_of_wrong_width_raises() -> None:
    with pytest.raises(RuntimeError):
        ask([ALLOW[:-1]])


def test_a_line_ends_with_its_day() -> None:
    assert ask([(*ALLOW[:-2], "2026-11-01", "allow")])
    assert not ask([(*ALLOW[:-2], "2026-10-31", "allow")])


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "model.conf"
    changed.write_text(MODEL_FILE.read_text(encoding="utf-8").replace("<=", ">="), encoding="utf-8")
    with pytest.raises(ModelChanged):
        read_model(changed)


def test_refusals_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert not ask([ALLOW], row="532622206")
    assert [record for record in caplog.records if record.name.startswith("casbin")] == []


def test_the_abandoned_distribution_is_not_installed() -> None:
    names = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
    assert "pycasbin" in names
    assert "casbin" not in names
