"""Machines beside literal tables: every pair of state and act, and random walks.

A table is what the design says, written by hand, a line an act::

    BEFORE ACT AFTER | NEEDS … | STAMP once counts

The judgement here is made from the table alone; nothing of it is taken from a machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from domain.machine import Fact, Machine, Refused, Step, Why

START = datetime(2026, 10, 9, 2, 0, tzinfo=UTC)
STAMPS = frozenset(fact for fact in Fact if fact.name.endswith("_AT"))
GIVEN = frozenset(Fact) - STAMPS
SETTINGS = settings(derandomize=True, deadline=None, max_examples=60, stateful_step_count=60)


@dataclass(frozen=True)
class Row:
    """What a table says of one act in one state."""

    after: str
    needs: frozenset[str]
    stamp: str | None
    once: bool
    counts: bool


Table = Mapping[tuple[str, str], Row]


def read(text: str) -> dict[tuple[str, str], Row]:
    """The lines of a table; two of one state and act are a mistake of the table."""
    found: dict[tuple[str, str], Row] = {}
    for line in text.strip().splitlines():
        move, needs, marks = ([*part.split()] for part in f"{line} || ".split("|")[:3])
        before, act, after = move
        words = {"once", "counts"}
        stamp = next((word for word in marks if word not in words), None)
        assert (before, act) not in found
        row = Row(after, frozenset(needs), stamp, "once" in marks, "counts" in marks)
        found[before, act] = row
    return found


def moves(table: Table) -> set[tuple[str, str]]:
    """The plain moves of a table; an act in place moves nothing."""
    return {(before, row.after) for (before, _), row in table.items() if before != row.after}


def agrees(
    machine: Machine[Any, Any], states: type[StrEnum], acts: type[StrEnum], table: Table
) -> int:
    """Every pair of state and act answers as the table says; the number of pairs."""
    assert {word for pair in table for word in (pair[0],)} <= {state.value for state in states}
    assert {act for _, act in table} <= {act.value for act in acts}
    # All stamps that are needed stand, none that forbids a second time does.
    needed = {Fact(need) for row in table.values() for need in row.needs} & STAMPS
    stamps = dict.fromkeys(needed, START)
    pairs = 0
    for state in states:
        allowed = [act for act in acts if (state.value, act.value) in table]
        assert set(machine.open_to(state)) == set(allowed)
        for act in acts:
            pairs += 1
            row = table.get((state.value, act.value))
            if row is None:
                assert machine.after(state, act) is None
                assert machine.needs(state, act) == ()
                assert machine.take(state, act, GIVEN, stamps) == Refused(Why.NOT_FROM_HERE)
                continue
            assert machine.after(state, act) == row.after
            assert set(machine.needs(state, act)) == row.needs
            step = machine.take(state, act, GIVEN, stamps)
            assert isinstance(step, Step)
            assert (step.before, step.after, step.act) == (state, row.after, act)
            assert (step.stamps, step.counts) == (row.stamp, row.counts)
            _each_is_needed(machine, state, act, row, stamps)
    return pairs


def _each_is_needed(
    machine: Machine[Any, Any], state: Any, act: Any, row: Row, stamps: Mapping[Fact, datetime]
) -> None:
    for name in row.needs:
        need = Fact(name)
        left = {stamp: at for stamp, at in stamps.items() if stamp is not need}
        # Given by hand a stamp counts for nothing: all facts are given, stamps among them.
        given = frozenset(Fact) - {need} if need in GIVEN else frozenset(Fact)
        without = stamps if need in GIVEN else left
        refused = machine.take(state, act, given, without)
        assert refused == Refused(Why.FACTS_MISSING, (need,))


def walk(
    machine: Machine[Any, Any],
    states: type[StrEnum],
    acts: type[StrEnum],
    table: Table,
    *,
    rounds: Mapping[str, Iterable[str]] = {},
    closing: Mapping[str, Iterable[str]] = {},
) -> set[str]:
    """Random acts with and without their facts; the states that were reached.

    `rounds`: a stamp and those it must not be older than; `closing`: a state and the stamps
    without which, in this round, nobody may be there.
    """
    reached: set[str] = set()
    lively = {before for before, _ in table} | {"CLOSED", "EFFECTIVE"}

    class Walk(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.state: Any = machine.start
            self.at = START
            self.stamps: dict[Fact, datetime] = {}
            self.done: dict[str, int] = {}
            reached.add(self.state.value)

        def fresh(self, name: str) -> bool:
            at = self.stamps.get(Fact(name))
            later = [self.stamps.get(Fact(other)) for other in rounds.get(name, ())]
            return at is not None and all(other is None or at >= other for other in later)

        def expected(self, act: str, given: frozenset[Fact]) -> str | None:
            row = table.get((self.state.value, act))
            if row is None or (row.once and self.done.get(act)):
                return None
            for need in row.needs:
                there = self.fresh(need) if Fact(need) in STAMPS else Fact(need) in given
                if not there:
                    return None
            return row.after

        def candidates(self, luck: int) -> list[Any]:
            """Mostly acts that lead on and not to an end at once, or no walk comes far."""
            listed = [act for act in acts if (self.state.value, act.value) in table]
            onward = [a for a in listed if table[self.state.value, a.value].after in lively]
            return (onward if luck > 2 else listed if luck else []) or list(acts)

        @rule(data=st.data())
        def act(self, data: st.DataObject) -> None:
            act = data.draw(st.sampled_from(self.candidates(data.draw(st.integers(0, 9)))))
            some = st.frozensets(st.sampled_from(list(Fact)))
            given = GIVEN if data.draw(st.integers(0, 4)) else data.draw(some)
            self.at += timedelta(hours=data.draw(st.integers(1, 90)))
            expected = self.expected(act.value, given)
            before = dict(self.stamps)
            step = machine.take(self.state, act, given, self.stamps)
            assert (step.after if isinstance(step, Step) else None) == expected
            if not isinstance(step, Step):
                return
            self.state = step.after
            if step.stamps is not None:
                self.stamps[step.stamps] = self.at
            self.done[act.value] = self.done.get(act.value, 0) + 1
            reached.add(self.state.value)
            # A stamp is never taken away and never goes back.
            assert all(self.stamps[stamp] >= at for stamp, at in before.items())
            assert all(self.fresh(stamp) for stamp in closing.get(self.state.value, ()))
            for (_, name), row in table.items():
                assert not row.once or self.done.get(name, 0) <= 1

    run_state_machine_as_test(Walk, settings=SETTINGS)
    return reached
