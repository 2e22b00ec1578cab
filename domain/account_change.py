"""账号变更: approved at home, then by the county or the prefecture (第六条; 领域设计 1.11).

Townships' and villages' changes end with the county's office, departments' with the
authority above them in the prefecture: those the hub records, hands over and waits for. Which
level goes which way is a row of ``procedures.toml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import product

from catalog.procedures import ChangeRoute
from domain.machine import Act, Fact, Machine, Party, act


class ChangeKind(StrEnum):
    """Somebody comes, changes posts, or leaves."""

    JOINING = "JOINING"
    MOVING = "MOVING"
    LEAVING = "LEAVING"


class AccountChangeState(StrEnum):
    """账号变更状态; the Chinese labels stand in ``codes.toml``."""

    DRAFT = "DRAFT"
    ORG_APPROVED = "ORG_APPROVED"
    OFFICE_APPLIED = "OFFICE_APPLIED"
    HANDED_OVER = "HANDED_OVER"
    CONFIRMED_BY_PREFECTURE = "CONFIRMED_BY_PREFECTURE"
    EFFECTIVE = "EFFECTIVE"


class AccountChangeAct(StrEnum):
    """What is done to a change."""

    APPROVE = "APPROVE"
    APPLY = "APPLY"
    HAND_OVER = "HAND_OVER"
    CONFIRM = "CONFIRM"
    PUT_IN_FORCE = "PUT_IN_FORCE"


S = AccountChangeState
D = AccountChangeAct
ChangeMachine = Machine[AccountChangeState, AccountChangeAct]


_ROUTES: Mapping[ChangeRoute, tuple[Act[AccountChangeState, AccountChangeAct], ...]] = {
    ChangeRoute.COUNTY: (act(D.APPLY, S.ORG_APPROVED, S.OFFICE_APPLIED, Party.OFFICE),),
    ChangeRoute.PREFECTURE: (
        act(D.HAND_OVER, S.ORG_APPROVED, S.HANDED_OVER, Party.OFFICE, stamps=Fact.HANDED_OVER_AT),
        act(
            D.CONFIRM, S.HANDED_OVER, S.CONFIRMED_BY_PREFECTURE, Party.PREFECTURE, Fact.CONFIRMATION
        ),
    ),
}
_READY: Mapping[ChangeRoute, AccountChangeState] = {
    ChangeRoute.COUNTY: S.OFFICE_APPLIED,
    ChangeRoute.PREFECTURE: S.CONFIRMED_BY_PREFECTURE,
}
_APPROVE = act(
    D.APPROVE, S.DRAFT, S.ORG_APPROVED, Party.ORGANIZATION, Fact.APPROVER, stamps=Fact.APPROVED_AT
)


def _machine(route: ChangeRoute, kind: ChangeKind) -> ChangeMachine:
    # Who gets rights has been trained first (第十三条); who loses them need not be.
    training = () if kind is ChangeKind.LEAVING else (Fact.SECURITY_TRAINING,)
    put_in_force = act(
        D.PUT_IN_FORCE, _READY[route], S.EFFECTIVE, Party.HUB, *training, stamps=Fact.EFFECTIVE_AT
    )
    return Machine(S.DRAFT, frozenset({S.EFFECTIVE}), (_APPROVE, *_ROUTES[route], put_in_force))


MACHINES: Mapping[tuple[ChangeRoute, ChangeKind], ChangeMachine] = {
    (route, kind): _machine(route, kind) for route, kind in product(ChangeRoute, ChangeKind)
}
"""By route and kind of change."""


def route_of(routes: Iterable[ChangeRoute]) -> ChangeRoute:
    """The way of a change, by those of the levels it leaves and reaches.

    Who moves between a township and a department goes the department's way: the prefecture has
    the last word where it has one.
    """
    return ChangeRoute.PREFECTURE if ChangeRoute.PREFECTURE in {*routes} else ChangeRoute.COUNTY


def suspends(kind: ChangeKind) -> bool:
    """Leaving suspends the account at once, as soon as it is written down and in every state."""
    return kind is ChangeKind.LEAVING


def moves_rights(state: AccountChangeState) -> bool:
    """Rights move with the post only when the change is in force, never with its approval."""
    return state is S.EFFECTIVE
