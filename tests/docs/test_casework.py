"""The page on casework names every mutation and every reason for which nothing is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import pytest

from catalog.load import load
from domain.account_change import AccountChangeState
from domain.case import CaseState
from domain.complaint import ComplaintState
from domain.correction import CorrectionState
from domain.spot_check import SpotCheckState
from domain.supervision import SupervisionState
from resolvers.commands.account_changes import ACCOUNT_COMMANDS
from resolvers.commands.cases import CASE_COMMANDS
from resolvers.commands.complaints import COMPLAINT_COMMANDS
from resolvers.commands.corrections import CORRECTION_COMMANDS
from resolvers.commands.spot_checks import SPOT_CHECK_COMMANDS
from resolvers.commands.supervision import SUPERVISION_COMMANDS
from schema.mutation import (
    ACCOUNT_CHANGES,
    CASES,
    COMPLAINTS,
    CORRECTIONS,
    REFUSALS,
    SPOT_CHECKS,
    SUPERVISION,
)

PAGE = "docs/casework.md"
_WORD = re.compile(r"[A-Z_]{6,}")
_STATE = re.compile(r"[A-Z_]{5,}")


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


@pytest.mark.parametrize(
    ("heading", "said", "commands", "states"),
    [
        ("投诉、申诉与权益异议", COMPLAINTS, COMPLAINT_COMMANDS, ComplaintState),
        ("账号变更", ACCOUNT_CHANGES, ACCOUNT_COMMANDS, AccountChangeState),
        ("抽查整改", SPOT_CHECKS, SPOT_CHECK_COMMANDS, SpotCheckState),
        ("数据校核", CORRECTIONS, CORRECTION_COMMANDS, CorrectionState),
    ],
)
def test_every_mutation_beside_the_cases_has_its_line(
    page: Callable[[str], Any],
    heading: str,
    said: Mapping[str, object],
    commands: Mapping[str, object],
    states: type[StrEnum],
) -> None:
    rows = page(PAGE).rows(heading)
    assert [first.strip("`") for first, *_ in rows] == list(said)
    assert said.keys() == commands.keys()
    named = {word for *_, told in rows for word in _STATE.findall(told)}
    assert named == {state.value for state in states}


def test_every_refusal_has_its_line(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("不予办理的原因")
    assert [first.strip("`") for first, _ in rows] == list(REFUSALS)


def test_every_rule_of_comparison_has_its_line(page: Callable[[str], Any]) -> None:
    lines = [first for first, *_ in page(PAGE).rows("比对与政府托举")]
    rules = load().comparisons.rules
    assert lines == [f"`{rule.code}` {rule.title}" for rule in rules]
