"""共享申请: answered by who provides it, never by time (领域设计 1.10)."""

from __future__ import annotations

from enum import StrEnum

import pytest

from catalog.load import load
from domain.machine import Fact, Party, Refused, Step, Why
from domain.sharing_request import (
    MACHINE,
    RefusalReason,
    SharingAct,
    SharingDecision,
    SharingFault,
    SharingState,
)
from tests.domain.walks import GIVEN, START, agrees, moves, read, walk

TABLE = read("""
DRAFT             SUBMIT       SUBMITTED         | PURPOSE BASIS TERM
SUBMITTED         RECEIVE      COMPLIANCE_REVIEW
COMPLIANCE_REVIEW REVIEW       PROVIDER_REVIEW   | OPINION               | REVIEWED_AT
PROVIDER_REVIEW   EXTEND       PROVIDER_REVIEW   | REASON                | EXTENDED_AT once
PROVIDER_REVIEW   GRANT        GRANTED           | APPROVER              | ANSWERED_AT
PROVIDER_REVIEW   GRANT_PARTLY PARTLY_GRANTED    | APPROVER REASON BASIS | ANSWERED_AT
PROVIDER_REVIEW   REFUSE       REFUSED           | REASON BASIS          | ANSWERED_AT
GRANTED           PROVISION    PROVISIONED       | GRANT                 | PROVISIONED_AT
PARTLY_GRANTED    PROVISION    PROVISIONED       | GRANT                 | PROVISIONED_AT
PROVISIONED       ACTIVATE     ACTIVE            | TERM_BEGUN
ACTIVE            EXPIRE       EXPIRED           | TERM_OVER             | CLOSED_AT
ACTIVE            REVOKE       REVOKED           | REASON                | CLOSED_AT
ACTIVE            RENEW        RENEWED           | SUCCESSOR             | CLOSED_AT
REFUSED           DISPUTE      DISPUTED          | REASON                | DISPUTED_AT
REFUSED           REJECT_BASIS MEDIATION         | REASON                | BASIS_REJECTED_AT
DISPUTED          REJECT_BASIS MEDIATION         | REASON                | BASIS_REJECTED_AT
DISPUTED          MEDIATE      MEDIATION         | OPINION
MEDIATION         DECIDE       DECIDED           | CONCLUSION OUTCOME    | DECIDED_AT
""")
DESIGN = {
    ("DRAFT", "SUBMITTED"),
    ("SUBMITTED", "COMPLIANCE_REVIEW"),
    ("COMPLIANCE_REVIEW", "PROVIDER_REVIEW"),
    ("PROVIDER_REVIEW", "GRANTED"),
    ("PROVIDER_REVIEW", "PARTLY_GRANTED"),
    ("PROVIDER_REVIEW", "REFUSED"),
    ("GRANTED", "PROVISIONED"),
    ("PARTLY_GRANTED", "PROVISIONED"),
    ("PROVISIONED", "ACTIVE"),
    ("ACTIVE", "EXPIRED"),
    ("ACTIVE", "REVOKED"),
    ("ACTIVE", "RENEWED"),
    ("REFUSED", "DISPUTED"),
    ("REFUSED", "MEDIATION"),
    ("DISPUTED", "MEDIATION"),
    ("MEDIATION", "DECIDED"),
}
S, D = SharingState, SharingAct


def test_every_listed_act_passes_and_every_other_pair_is_refused() -> None:
    assert agrees(MACHINE, S, D, TABLE) == 15 * 16
    assert moves(TABLE) == DESIGN
    assert {(a.value, b.value) for a, after in MACHINE.moves.items() for b in after} == DESIGN


def test_walks_reach_every_state_and_extend_once() -> None:
    assert walk(MACHINE, S, D, TABLE) == {state.value for state in S}


def test_a_refusal_without_reason_or_basis_is_none() -> None:
    for act in (D.REFUSE, D.GRANT_PARTLY):
        for missing in (Fact.REASON, Fact.BASIS):
            refused = MACHINE.take(S.PROVIDER_REVIEW, act, GIVEN - {missing}, {})
            assert refused == Refused(Why.FACTS_MISSING, (missing,))


def test_a_second_extension_is_refused() -> None:
    assert isinstance(MACHINE.take(S.PROVIDER_REVIEW, D.EXTEND, GIVEN, {}), Step)
    again = MACHINE.take(S.PROVIDER_REVIEW, D.EXTEND, GIVEN, {Fact.EXTENDED_AT: START})
    assert again == Refused(Why.DONE_BEFORE)


def test_only_the_provider_grants_and_the_hub_never_does() -> None:
    granting = {act.name for act in MACHINE.acts if act.after in (S.GRANTED, S.PARTLY_GRANTED)}
    assert granting == {D.GRANT, D.GRANT_PARTLY}
    assert {act.tells for act in MACHINE.acts if act.name in granting} == {Party.PROVIDER}
    by_hub = {act.name for act in MACHINE.acts if act.tells is Party.HUB}
    assert by_hub == {D.RECEIVE, D.PROVISION, D.ACTIVATE, D.EXPIRE, D.RENEW}


@pytest.mark.parametrize("words", [S, D, RefusalReason, SharingFault, SharingDecision])
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]
