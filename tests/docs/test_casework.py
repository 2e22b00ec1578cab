"""The page on casework names every mutation and every reason for which nothing is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from domain.case import CaseState
from domain.supervision import SupervisionState
from resolvers.commands.cases import CASE_COMMANDS
from resolvers.commands.supervision import SUPERVISION_COMMANDS
from schema.mutation import CASES, REFUSALS, SUPERVISION

PAGE = "docs/casework.md"
_WORD = re.compile(r"[A-Z_]{6,}")


def test_every_mutation_has_its_line(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("可以办什么")
    assert [first.strip("`") for first, *_ in rows] == list(CASES)
    assert CASES.keys() == CASE_COMMANDS.keys()
    named = {word for *_, states in rows for word in _WORD.findall(states)}
    assert named == {state.value for state in CaseState}


def test_every_act_on_an_order_has_its_line(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("督办")
    assert [first.strip("`") for first, *_ in rows] == list(SUPERVISION)
    assert SUPERVISION.keys() == SUPERVISION_COMMANDS.keys()
    named = {word for *_, states in rows for word in _WORD.findall(states)}
    assert named == {state.value for state in SupervisionState} - {"DRAFT"}


def test_every_refusal_has_its_line(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("不予办理的原因")
    assert [first.strip("`") for first, _ in rows] == list(REFUSALS)
