"""共享申请: asked for, looked at, answered by who provides it (第十一条第三项; 领域设计 1.10).

No time that passes leads to a grant: every act that grants is somebody's answer, and an answer
that is owed too long goes on a list and is urged (第二十一条). What is left to the clock is the
grant's own first and last day.

DRAFT is where the machine starts and nobody's row is: a request is kept from its SUBMIT on.
"""

from __future__ import annotations

from enum import StrEnum

from domain.machine import Fact, Machine, Party, act


class SharingState(StrEnum):
    """共享申请状态; the Chinese labels stand in ``codes.toml``."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    COMPLIANCE_REVIEW = "COMPLIANCE_REVIEW"
    PROVIDER_REVIEW = "PROVIDER_REVIEW"
    GRANTED = "GRANTED"
    PARTLY_GRANTED = "PARTLY_GRANTED"
    REFUSED = "REFUSED"
    PROVISIONED = "PROVISIONED"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    RENEWED = "RENEWED"
    DISPUTED = "DISPUTED"
    MEDIATION = "MEDIATION"
    DECIDED = "DECIDED"


class SharingAct(StrEnum):
    """What is done to a request. EXTEND is in place: more time, once."""

    SUBMIT = "SUBMIT"
    RECEIVE = "RECEIVE"
    REVIEW = "REVIEW"
    EXTEND = "EXTEND"
    GRANT = "GRANT"
    GRANT_PARTLY = "GRANT_PARTLY"
    REFUSE = "REFUSE"
    PROVISION = "PROVISION"
    ACTIVATE = "ACTIVATE"
    EXPIRE = "EXPIRE"
    REVOKE = "REVOKE"
    RENEW = "RENEW"
    DISPUTE = "DISPUTE"
    REJECT_BASIS = "REJECT_BASIS"
    MEDIATE = "MEDIATE"
    DECIDE = "DECIDE"


class RefusalReason(StrEnum):
    """不予共享的理由 (领域设计 2.3); each needs its basis."""

    LAW_FORBIDS = "LAW_FORBIDS"
    OUT_OF_DUTY = "OUT_OF_DUTY"
    SCOPE_EXCESSIVE = "SCOPE_EXCESSIVE"
    DATA_NOT_HELD = "DATA_NOT_HELD"
    SECURITY_CONDITION_UNMET = "SECURITY_CONDITION_UNMET"
    OTHER_WITH_BASIS = "OTHER_WITH_BASIS"


class SharingFault(StrEnum):
    """Why a request stands on the list of 第二十一条第三项."""

    REFUSED_WITHOUT_BASIS = "REFUSED_WITHOUT_BASIS"
    BASIS_REJECTED = "BASIS_REJECTED"
    OVERDUE = "OVERDUE"


class SharingDecision(StrEnum):
    """What the office decides. Neither is a grant: that is the provider's to sign."""

    REFUSAL_STANDS = "REFUSAL_STANDS"
    TO_BE_SHARED = "TO_BE_SHARED"


S = SharingState
D = SharingAct

MACHINE: Machine[SharingState, SharingAct] = Machine(
    start=S.DRAFT,
    ends=frozenset({S.EXPIRED, S.REVOKED, S.RENEWED, S.DECIDED}),
    acts=(
        act(D.SUBMIT, S.DRAFT, S.SUBMITTED, Party.REQUESTER, Fact.PURPOSE, Fact.BASIS, Fact.TERM),
        act(D.RECEIVE, S.SUBMITTED, S.COMPLIANCE_REVIEW, Party.HUB),
        act(
            D.REVIEW,
            S.COMPLIANCE_REVIEW,
            S.PROVIDER_REVIEW,
            Party.AUTHORITY,
            Fact.OPINION,
            stamps=Fact.REVIEWED_AT,
        ),
        act(
            D.EXTEND,
            S.PROVIDER_REVIEW,
            None,
            Party.PROVIDER,
            Fact.REASON,
            stamps=Fact.EXTENDED_AT,
            once=True,
        ),
        act(
            D.GRANT,
            S.PROVIDER_REVIEW,
            S.GRANTED,
            Party.PROVIDER,
            Fact.APPROVER,
            stamps=Fact.ANSWERED_AT,
        ),
        act(
            D.GRANT_PARTLY,
            S.PROVIDER_REVIEW,
            S.PARTLY_GRANTED,
            Party.PROVIDER,
            *(Fact.APPROVER, Fact.REASON, Fact.BASIS),
            stamps=Fact.ANSWERED_AT,
        ),
        act(
            D.REFUSE,
            S.PROVIDER_REVIEW,
            S.REFUSED,
            Party.PROVIDER,
            *(Fact.REASON, Fact.BASIS),
            stamps=Fact.ANSWERED_AT,
        ),
        act(
            D.PROVISION,
            (S.GRANTED, S.PARTLY_GRANTED),
            S.PROVISIONED,
            Party.HUB,
            Fact.GRANT,
            stamps=Fact.PROVISIONED_AT,
        ),
        act(D.ACTIVATE, S.PROVISIONED, S.ACTIVE, Party.HUB, Fact.TERM_BEGUN),
        act(D.EXPIRE, S.ACTIVE, S.EXPIRED, Party.HUB, Fact.TERM_OVER, stamps=Fact.CLOSED_AT),
        act(D.REVOKE, S.ACTIVE, S.REVOKED, Party.PROVIDER, Fact.REASON, stamps=Fact.CLOSED_AT),
        act(D.RENEW, S.ACTIVE, S.RENEWED, Party.HUB, Fact.SUCCESSOR, stamps=Fact.CLOSED_AT),
        act(
            D.DISPUTE,
            S.REFUSED,
            S.DISPUTED,
            Party.REQUESTER,
            Fact.REASON,
            stamps=Fact.DISPUTED_AT,
        ),
        act(
            D.REJECT_BASIS,
            (S.REFUSED, S.DISPUTED),
            S.MEDIATION,
            Party.OFFICE,
            Fact.REASON,
            stamps=Fact.BASIS_REJECTED_AT,
        ),
        act(D.MEDIATE, S.DISPUTED, S.MEDIATION, Party.OFFICE, Fact.OPINION),
        act(
            D.DECIDE,
            S.MEDIATION,
            S.DECIDED,
            Party.OFFICE,
            *(Fact.CONCLUSION, Fact.OUTCOME),
            stamps=Fact.DECIDED_AT,
        ),
    ),
)
