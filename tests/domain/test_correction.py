"""数据校核: disputed at once, mended at the source, closed only when told (领域设计 1.9)."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import pytest

from catalog.load import load
from domain.correction import MACHINE, CorrectionAct, CorrectionState, disputes
from domain.machine import Fact, Party, Refused, Step, Why
from tests.domain.walks import GIVEN, agrees, moves, read, walk

TABLE = read("""
SUBMITTED           ACCEPT        ACCEPTED            |                            | ACCEPTED_AT
ACCEPTED            FLAG          FLAGGED             | DISPUTED_VALUE             | FLAGGED_AT
FLAGGED             ASSIGN        ASSIGNED            | GOES_TO
ASSIGNED            INVESTIGATE   INVESTIGATING
INVESTIGATING       UPHOLD        UPHELD              | FINDING                    | DECIDED_AT
INVESTIGATING       UPHOLD_PARTLY PARTLY              | FINDING                    | DECIDED_AT
INVESTIGATING       REJECT        REJECTED            | REASON                     | DECIDED_AT
ASSIGNED            EXTEND        ASSIGNED            | REASON               | EXTENDED_AT once
INVESTIGATING       EXTEND        INVESTIGATING       | REASON               | EXTENDED_AT once
UPHELD              EXTEND        UPHELD              | REASON               | EXTENDED_AT once
PARTLY              EXTEND        PARTLY              | REASON               | EXTENDED_AT once
UPHELD              CORRECT       CORRECTED_AT_SOURCE | SOURCE_AS_OF               | CORRECTED_AT
PARTLY              CORRECT       CORRECTED_AT_SOURCE | SOURCE_AS_OF               | CORRECTED_AT
CORRECTED_AT_SOURCE REPLAY        REPLAYED            | CACHES_PURGED READERS_TOLD
REPLAYED            NOTIFY        NOTIFIED            | CHANNEL                    | NOTIFIED_AT
REJECTED            NOTIFY        NOTIFIED            | CHANNEL                    | NOTIFIED_AT
NOTIFIED            CLOSE         CLOSED              | NOTIFIED_AT                | CLOSED_AT
""")
DESIGN = {
    ("SUBMITTED", "ACCEPTED"),
    ("ACCEPTED", "FLAGGED"),
    ("FLAGGED", "ASSIGNED"),
    ("ASSIGNED", "INVESTIGATING"),
    ("INVESTIGATING", "UPHELD"),
    ("INVESTIGATING", "PARTLY"),
    ("INVESTIGATING", "REJECTED"),
    ("UPHELD", "CORRECTED_AT_SOURCE"),
    ("PARTLY", "CORRECTED_AT_SOURCE"),
    ("CORRECTED_AT_SOURCE", "REPLAYED"),
    ("REPLAYED", "NOTIFIED"),
    ("REJECTED", "NOTIFIED"),
    ("NOTIFIED", "CLOSED"),
}
AT = datetime(2026, 10, 9, 2, 0, tzinfo=UTC)
S, D = CorrectionState, CorrectionAct


def test_every_listed_act_passes_and_every_other_pair_is_refused() -> None:
    assert agrees(MACHINE, S, D, TABLE) == 144
    assert moves(TABLE) == DESIGN
    assert {(a.value, b.value) for a, after in MACHINE.moves.items() for b in after} == DESIGN


def test_no_walk_closes_untold_or_extends_twice() -> None:
    reached = walk(MACHINE, S, D, TABLE, closing={"CLOSED": ("NOTIFIED_AT", "DECIDED_AT")})
    assert reached == {state.value for state in S}


def test_the_value_is_disputed_from_the_flag_until_corrected_or_rejected() -> None:
    words = [state.value for state in S if disputes(state)]
    assert words == ["FLAGGED", "ASSIGNED", "INVESTIGATING", "UPHELD", "PARTLY"]


def test_the_limit_is_extended_once_in_whatever_state() -> None:
    for state in (S.ASSIGNED, S.INVESTIGATING, S.UPHELD, S.PARTLY):
        assert isinstance(MACHINE.take(state, D.EXTEND, GIVEN, {}), Step)
        again = MACHINE.take(state, D.EXTEND, GIVEN, {Fact.EXTENDED_AT: AT})
        assert again == Refused(Why.DONE_BEFORE)


def test_only_the_provider_finds_and_corrects() -> None:
    his = {act.name.value for act in MACHINE.acts if act.tells is Party.PROVIDER}
    assert his == {"INVESTIGATE", "UPHOLD", "UPHOLD_PARTLY", "REJECT", "CORRECT"}


@pytest.mark.parametrize("words", [S, D])
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]
