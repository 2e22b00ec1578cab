"""账号变更: two routes, and who leaves is suspended at once (第六条; 领域设计 1.11)."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise, product

import pytest

from catalog.load import load
from catalog.procedures import ChangeRoute
from domain.account_change import (
    MACHINES,
    AccountChangeAct,
    AccountChangeState,
    ChangeKind,
    moves_rights,
    route_of,
    suspends,
)
from domain.machine import Party
from tests.domain.walks import Table, agrees, moves, read, walk

COUNTY = """
DRAFT          APPROVE      ORG_APPROVED   | APPROVER          | APPROVED_AT
ORG_APPROVED   APPLY        OFFICE_APPLIED
OFFICE_APPLIED PUT_IN_FORCE EFFECTIVE      | SECURITY_TRAINING | EFFECTIVE_AT
"""
PREFECTURE = """
DRAFT                   APPROVE      ORG_APPROVED            | APPROVER          | APPROVED_AT
ORG_APPROVED            HAND_OVER    HANDED_OVER             |                   | HANDED_OVER_AT
HANDED_OVER             CONFIRM      CONFIRMED_BY_PREFECTURE | CONFIRMATION
CONFIRMED_BY_PREFECTURE PUT_IN_FORCE EFFECTIVE               | SECURITY_TRAINING | EFFECTIVE_AT
"""
DESIGN = {
    ChangeRoute.COUNTY: ["DRAFT", "ORG_APPROVED", "OFFICE_APPLIED", "EFFECTIVE"],
    ChangeRoute.PREFECTURE: [
        "DRAFT",
        "ORG_APPROVED",
        "HANDED_OVER",
        "CONFIRMED_BY_PREFECTURE",
        "EFFECTIVE",
    ],
}
EVERY = list(product(ChangeRoute, ChangeKind))
S, D = AccountChangeState, AccountChangeAct


def table(route: ChangeRoute, kind: ChangeKind) -> Table:
    """Only who gets rights needs training."""
    text = COUNTY if route is ChangeRoute.COUNTY else PREFECTURE
    return read(text.replace("SECURITY_TRAINING", "") if kind is ChangeKind.LEAVING else text)


def test_there_is_a_machine_for_each_route_and_kind() -> None:
    assert list(MACHINES) == EVERY
    assert len(EVERY) == 6


@pytest.mark.parametrize(("route", "kind"), EVERY)
def test_every_listed_act_passes_and_every_other_pair_is_refused(
    route: ChangeRoute, kind: ChangeKind
) -> None:
    assert agrees(MACHINES[route, kind], S, D, table(route, kind)) == 30
    assert moves(table(route, kind)) == set(pairwise(DESIGN[route]))


@pytest.mark.parametrize(("route", "kind"), EVERY)
def test_no_walk_is_in_force_without_approval(route: ChangeRoute, kind: ChangeKind) -> None:
    closing = {"EFFECTIVE": ("APPROVED_AT", "EFFECTIVE_AT")}
    reached = walk(MACHINES[route, kind], S, D, table(route, kind), closing=closing)
    assert reached == set(DESIGN[route])


def test_only_the_prefecture_confirms() -> None:
    his = {
        (route, act.name.value)
        for (route, _), machine in MACHINES.items()
        for act in machine.acts
        if act.tells is Party.PREFECTURE
    }
    assert his == {(ChangeRoute.PREFECTURE, "CONFIRM")}


def test_leaving_suspends_at_once_and_rights_move_only_in_force() -> None:
    assert [kind.value for kind in ChangeKind if suspends(kind)] == ["LEAVING"]
    assert [state.value for state in S if moves_rights(state)] == ["EFFECTIVE"]


def test_the_prefecture_has_the_last_word_where_it_has_one() -> None:
    county, prefecture = ChangeRoute
    ways = [[county], [prefecture], [county, county], [county, prefecture], [prefecture, county]]
    assert [route_of(way) for way in ways] == [county, prefecture, county, prefecture, prefecture]


@pytest.mark.parametrize("words", [S, D, ChangeKind, ChangeRoute])
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]
