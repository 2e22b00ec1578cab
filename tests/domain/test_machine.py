"""Machines in general: what is refused at the start, and what a step or a refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from catalog.load import load
from domain.machine import (
    FOUND_BY_HUB,
    Act,
    Fact,
    Machine,
    Party,
    Refused,
    Step,
    UnsoundError,
    Why,
    is_stamp,
)


class Lamp(StrEnum):
    OFF = "OFF"
    ON = "ON"
    BROKEN = "BROKEN"


class Do(StrEnum):
    SWITCH = "SWITCH"
    DROP = "DROP"
    LOOK = "LOOK"


OFF, ON, BROKEN = Lamp
AT = datetime(2026, 10, 9, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SWITCH_ON = Act(Do.SWITCH, frozenset({OFF}), ON, Party.HUB, frozenset({Fact.REASON, Fact.RESULT}))
SWITCH_OFF = Act(Do.SWITCH, frozenset({ON}), OFF, Party.HUB, stamps=Fact.RESULT_AT)
DROP = Act(Do.DROP, frozenset({OFF, ON}), BROKEN, Party.CITIZEN, frozenset({Fact.SIGNED_AT}))
LOOK = Act(Do.LOOK, frozenset({OFF}), None, Party.OFFICE, stamps=Fact.SIGNED_AT, once=True)
LAMP = Machine(
    OFF,
    frozenset({BROKEN}),
    (SWITCH_ON, SWITCH_OFF, DROP, LOOK),
    follows={Fact.SIGNED_AT: frozenset({Fact.RESULT_AT})},
)
Acts = tuple[Act[Lamp, Do], ...]

TO_BROKEN = Act(Do.SWITCH, frozenset({ON}), BROKEN, Party.HUB)
PLAIN_DROP = Act(Do.DROP, frozenset({OFF, ON}), BROKEN, Party.HUB)
UNSOUND: dict[str, tuple[Acts, frozenset[Lamp], str]] = {
    "one name twice in a state": (
        (SWITCH_ON, SWITCH_OFF, TO_BROKEN, PLAIN_DROP),
        frozenset({BROKEN}),
        "SWITCH stands twice in ON",
    ),
    "a state nobody comes to": ((PLAIN_DROP,), frozenset({BROKEN}), "ON cannot be reached"),
    "an end nobody comes to": ((LOOK,), frozenset({BROKEN}), "BROKEN cannot be reached"),
    "an end with acts": (
        (SWITCH_ON, SWITCH_OFF, PLAIN_DROP),
        frozenset({ON, BROKEN}),
        "ON is an end and has acts",
    ),
    "a blind alley": (
        (SWITCH_ON, SWITCH_OFF, PLAIN_DROP),
        frozenset(),
        "BROKEN has no acts and is no end",
    ),
    "a stamp that is a fact": (
        (Act(Do.DROP, frozenset({OFF}), BROKEN, Party.HUB, stamps=Fact.REASON),),
        frozenset({BROKEN}),
        "DROP sets REASON, which is no stamp",
    ),
    "once without a stamp": (
        (Act(Do.DROP, frozenset({OFF}), BROKEN, Party.HUB, once=True),),
        frozenset({BROKEN}),
        "DROP may be made once and leaves no stamp to tell it by",
    ),
    "a stamp nobody sets": (
        (Act(Do.DROP, frozenset({OFF}), BROKEN, Party.HUB, frozenset({Fact.SIGNED_AT})),),
        frozenset({BROKEN}),
        "DROP needs SIGNED_AT, which nothing sets",
    ),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_a_machine_that_contradicts_itself_is_not_made(case: str) -> None:
    acts, ends, fault = UNSOUND[case]
    with pytest.raises(UnsoundError) as refused:
        Machine(OFF, ends, acts)
    assert str(refused.value) == fault


def test_a_stamp_cannot_follow_what_nothing_sets() -> None:
    with pytest.raises(UnsoundError, match=r"^CLOSED_AT follows or is followed, and nothing sets"):
        Machine(
            OFF,
            frozenset({BROKEN}),
            LAMP.acts,
            follows={Fact.SIGNED_AT: frozenset({Fact.CLOSED_AT})},
        )


def test_a_state_has_its_closed_list_of_acts() -> None:
    assert LAMP.open_to(OFF) == (Do.SWITCH, Do.DROP, Do.LOOK)
    assert LAMP.open_to(ON) == (Do.SWITCH, Do.DROP)
    assert LAMP.open_to(BROKEN) == ()


def test_one_name_leads_elsewhere_from_elsewhere_and_in_place_moves_nothing() -> None:
    assert LAMP.after(OFF, Do.SWITCH) is ON
    assert LAMP.after(ON, Do.SWITCH) is OFF
    assert LAMP.after(OFF, Do.LOOK) is OFF
    assert LAMP.after(ON, Do.LOOK) is None
    assert LAMP.moves == {OFF: {ON, BROKEN}, ON: {OFF, BROKEN}}


def test_a_step_says_all_that_is_to_be_written() -> None:
    step = LAMP.take(OFF, Do.LOOK, (), {})
    assert step == Step(Do.LOOK, OFF, OFF, Party.OFFICE, Fact.SIGNED_AT, counts=False)


def test_a_refusal_names_what_is_missing_in_the_order_of_facts() -> None:
    refused = LAMP.take(OFF, Do.SWITCH, (), {})
    assert refused == Refused(Why.FACTS_MISSING, (Fact.REASON, Fact.RESULT))
    refused = LAMP.take(OFF, Do.SWITCH, {Fact.REASON}, {})
    assert refused == Refused(Why.FACTS_MISSING, (Fact.RESULT,))
    assert LAMP.take(BROKEN, Do.SWITCH, set(Fact), {}) == Refused(Why.NOT_FROM_HERE)


def test_what_may_be_done_once_is_known_by_its_stamp() -> None:
    assert LAMP.take(OFF, Do.LOOK, (), {Fact.SIGNED_AT: AT}) == Refused(Why.DONE_BEFORE)


def test_a_stamp_counts_only_when_set_and_not_older_than_what_it_follows() -> None:
    missing = Refused(Why.FACTS_MISSING, (Fact.SIGNED_AT,))
    assert LAMP.take(ON, Do.DROP, {Fact.SIGNED_AT}, {}) == missing
    older = {Fact.SIGNED_AT: AT, Fact.RESULT_AT: AT + HOUR}
    assert LAMP.take(ON, Do.DROP, (), older) == missing
    assert LAMP.counting(older) == {Fact.RESULT_AT}
    same = {Fact.SIGNED_AT: AT, Fact.RESULT_AT: AT}
    assert isinstance(LAMP.take(ON, Do.DROP, (), same), Step)
    alone = {Fact.SIGNED_AT: AT}
    assert isinstance(LAMP.take(ON, Do.DROP, (), alone), Step)


def test_what_the_hub_looks_up_itself_is_no_stamp_and_nobodys_word() -> None:
    assert {fact.value for fact in FOUND_BY_HUB} == {
        "NOTICE_OVER",
        "UPHELD_APPEAL",
        "CACHES_PURGED",
        "READERS_TOLD",
        "SECURITY_TRAINING",
        "GRANT",
        "TERM_BEGUN",
        "TERM_OVER",
        "SUCCESSOR",
    }
    assert not any(is_stamp(fact) for fact in FOUND_BY_HUB)


@pytest.mark.parametrize(
    ("table", "words"), [("ActParty", Party), ("ActFact", Fact), ("ActRefusal", Why)]
)
def test_the_words_are_the_code_tables(table: str, words: type[StrEnum]) -> None:
    assert list(load().codes[table]) == [word.value for word in words]
