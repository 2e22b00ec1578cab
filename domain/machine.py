"""What the office's procedures have in common: states, and the acts that lead on from them.

1. A machine is a closed list of acts. An act has a name, the states it may be made in, the
   state it leads to, the facts it needs, the stamp it sets and whose answer it is.
2. One name and one state give at most one act, so a name is an unambiguous command: what is
   not listed is refused, and the table of moves follows from the acts.
3. An act *in place* leads nowhere: it sets its stamp and the state stays (a citizen is told).
4. A fact is given with the act or stands as a stamp of an earlier one. A stamp is never taken
   away; it is renewed. Where a procedure goes round twice, a stamp older than the one it
   *follows* is of the round before and counts no longer: who was told of the first answer
   has not been told of the second.
5. An act that may be made once is refused when its own stamp is there.

A machine checks itself when it is made, that is when the program starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)


class Party(StrEnum):
    """Whose answer an act is; who may give it is for the policy's lines to say."""

    HUB = "HUB"
    CITIZEN = "CITIZEN"
    TOWNSHIP = "TOWNSHIP"
    DEPARTMENT = "DEPARTMENT"
    OFFICE = "OFFICE"
    HANDLER = "HANDLER"
    """承办单位: whoever it was assigned to."""
    PROVIDER = "PROVIDER"
    ORGANIZATION = "ORGANIZATION"
    """乡镇领导 or 单位负责人: the head of the organisation that asks."""
    PREFECTURE = "PREFECTURE"
    REQUESTER = "REQUESTER"
    """The department that asks for another's data."""
    AUTHORITY = "AUTHORITY"
    """数据主管: looks whether a request keeps to the rules."""


class Fact(StrEnum):
    """What an act may need; those that end in ``_AT`` are stamps."""

    REASON = "REASON"
    GOES_TO = "GOES_TO"
    """The item or the organisation it goes to."""
    VISIT = "VISIT"
    """The record of the home visit; in F4 of the documents that were seen."""
    ATTENDANCE = "ATTENDANCE"
    VOTE = "VOTE"
    NOTICE_FROM = "NOTICE_FROM"
    NOTICE_UNTIL = "NOTICE_UNTIL"
    NOTICE_OVER = "NOTICE_OVER"
    """The last notice has run its days."""
    OPINION = "OPINION"
    CONCLUSION = "CONCLUSION"
    DELIVERED = "DELIVERED"
    DELIVERED_ON = "DELIVERED_ON"
    EXPECTED_ON = "EXPECTED_ON"
    """By when the result is to be expected, as the citizen was told."""
    RESULT = "RESULT"
    SATISFACTION = "SATISFACTION"
    UPHELD_APPEAL = "UPHELD_APPEAL"
    DEADLINE = "DEADLINE"
    ATTACHMENTS = "ATTACHMENTS"
    ANSWER = "ANSWER"
    OUTCOME = "OUTCOME"
    CHANNEL = "CHANNEL"
    """How the citizen was told: phone, WeChat or text message."""
    DISPUTED_VALUE = "DISPUTED_VALUE"
    """Which value of whom: its coordinate and the person."""
    FINDING = "FINDING"
    SOURCE_AS_OF = "SOURCE_AS_OF"
    """As of when the provider's own system says otherwise."""
    CACHES_PURGED = "CACHES_PURGED"
    READERS_TOLD = "READERS_TOLD"
    IN_ORDER = "IN_ORDER"
    ROOT_CAUSE = "ROOT_CAUSE"
    MEASURE = "MEASURE"
    APPROVER = "APPROVER"
    CONFIRMATION = "CONFIRMATION"
    SECURITY_TRAINING = "SECURITY_TRAINING"
    PURPOSE = "PURPOSE"
    BASIS = "BASIS"
    """The rule that is cited: 依据."""
    TERM = "TERM"
    """First and last day."""
    GRANT = "GRANT"
    """The policy holds the grant."""
    TERM_BEGUN = "TERM_BEGUN"
    TERM_OVER = "TERM_OVER"
    SUCCESSOR = "SUCCESSOR"
    """The grant that takes the place of this one."""

    ACCEPTED_AT = "ACCEPTED_AT"
    DECIDED_AT = "DECIDED_AT"
    DELIVERED_AT = "DELIVERED_AT"
    DELIBERATED_AT = "DELIBERATED_AT"
    CLOSED_AT = "CLOSED_AT"
    SIGNED_AT = "SIGNED_AT"
    RESULT_AT = "RESULT_AT"
    REPORTED_AT = "REPORTED_AT"
    SENT_BACK_AT = "SENT_BACK_AT"
    ANSWERED_AT = "ANSWERED_AT"
    ESCALATED_AT = "ESCALATED_AT"
    NOTIFIED_AT = "NOTIFIED_AT"
    EXTENDED_AT = "EXTENDED_AT"
    FLAGGED_AT = "FLAGGED_AT"
    CORRECTED_AT = "CORRECTED_AT"
    RECTIFIED_AT = "RECTIFIED_AT"
    APPROVED_AT = "APPROVED_AT"
    HANDED_OVER_AT = "HANDED_OVER_AT"
    EFFECTIVE_AT = "EFFECTIVE_AT"
    REVIEWED_AT = "REVIEWED_AT"
    PROVISIONED_AT = "PROVISIONED_AT"
    DISPUTED_AT = "DISPUTED_AT"
    BASIS_REJECTED_AT = "BASIS_REJECTED_AT"


FOUND_BY_HUB = frozenset(
    {
        Fact.NOTICE_OVER,
        Fact.UPHELD_APPEAL,
        Fact.CACHES_PURGED,
        Fact.READERS_TOLD,
        Fact.SECURITY_TRAINING,
        Fact.GRANT,
        Fact.TERM_BEGUN,
        Fact.TERM_OVER,
        Fact.SUCCESSOR,
    }
)
"""Facts that are looked up, by clock, store or audit log: no command takes them from who asks."""

Stamps = Mapping[Fact, datetime]
"""When each stamp was last set; aware moments."""


@dataclass(frozen=True, slots=True)
class Act(Generic[S, A]):
    """One act. `after` None: in place. `once`: never a second time. `counts`: how often is kept."""

    name: A
    before: frozenset[S]
    after: S | None
    tells: Party
    needs: frozenset[Fact] = frozenset()
    stamps: Fact | None = None
    once: bool = False
    counts: bool = False


def act(
    name: A,
    before: S | tuple[S, ...],
    after: S | None,
    tells: Party,
    *needs: Fact,
    stamps: Fact | None = None,
    once: bool = False,
    counts: bool = False,
) -> Act[S, A]:
    """An act as the machines' lists write it: name, from where, where to, whose, needs."""
    states = frozenset(before) if isinstance(before, tuple) else frozenset({before})
    return Act(name, states, after, tells, frozenset(needs), stamps, once, counts)


class Why(StrEnum):
    """Why an act is refused."""

    NOT_FROM_HERE = "NOT_FROM_HERE"
    DONE_BEFORE = "DONE_BEFORE"
    FACTS_MISSING = "FACTS_MISSING"


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and why not; `missing` in the order of `Fact`."""

    why: Why
    missing: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Step(Generic[S, A]):
    """Yes: what the act does. `stamps` is to be set to the moment of the act."""

    act: A
    before: S
    after: S
    tells: Party
    stamps: Fact | None
    counts: bool


class UnsoundError(Exception):
    """A machine contradicts itself; the start is refused."""


@dataclass(frozen=True)
class Machine(Generic[S, A]):
    """A procedure. `follows`: a stamp and the stamps it must not be older than to count."""

    start: S
    ends: frozenset[S]
    acts: tuple[Act[S, A], ...]
    follows: Mapping[Fact, frozenset[Fact]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise UnsoundError(fault)

    @cached_property
    def _by(self) -> Mapping[tuple[S, A], Act[S, A]]:
        return {(before, act.name): act for act in self.acts for before in act.before}

    def after(self, state: S, name: A) -> S | None:
        """The state an act leads to (the same, if it is in place); None if it is not listed."""
        act = self._by.get((state, name))
        if act is None:
            return None
        return state if act.after is None else act.after

    def open_to(self, state: S) -> tuple[A, ...]:
        """The closed list of acts of a state, in the order they are listed; empty at an end."""
        return tuple(act.name for act in self.acts if state in act.before)

    def needs(self, state: S, name: A) -> tuple[Fact, ...]:
        """What an act needs in a state; empty if it is not listed."""
        act = self._by.get((state, name))
        return () if act is None else _in_order(act.needs)

    def take(
        self, state: S, name: A, given: Collection[Fact], stamps: Stamps
    ) -> Step[S, A] | Refused:
        """What an act does, or why not. `given`: the facts that come with it, none empty."""
        act = self._by.get((state, name))
        if act is None:
            return Refused(Why.NOT_FROM_HERE)
        if act.once and act.stamps in stamps:
            return Refused(Why.DONE_BEFORE)
        missing = act.needs - {fact for fact in given if not is_stamp(fact)} - self.counting(stamps)
        if missing:
            return Refused(Why.FACTS_MISSING, _in_order(missing))
        after = state if act.after is None else act.after
        return Step(name, state, after, act.tells, act.stamps, act.counts)

    def counting(self, stamps: Stamps) -> frozenset[Fact]:
        """The stamps that count: those that are not of a round before."""
        return frozenset(
            stamp
            for stamp, at in stamps.items()
            if all(at >= stamps.get(before, at) for before in self.follows.get(stamp, ()))
        )

    @cached_property
    def moves(self) -> Mapping[S, frozenset[S]]:
        """The plain table: every move that is allowed, by state. Acts in place move nothing."""
        found: dict[S, set[S]] = {}
        for act in self.acts:
            if act.after is not None:
                for before in act.before:
                    found.setdefault(before, set()).add(act.after)
        return {before: frozenset(after) for before, after in found.items()}

    def _faults(self) -> Iterator[str]:
        listed = [(before, act.name) for act in self.acts for before in act.before]
        for before, name in sorted({pair for pair in listed if listed.count(pair) > 1}):
            yield f"{name} stands twice in {before}"
        reached = self._reached()
        states = {before for before, _ in listed} | set(self.ends)
        for state in sorted(states - reached):
            yield f"{state} cannot be reached"
        left = {before for before, _ in listed}
        for state in sorted(left & self.ends):
            yield f"{state} is an end and has acts"
        for state in sorted(reached - left - self.ends):
            yield f"{state} has no acts and is no end"
        set_ = {act.stamps for act in self.acts}
        for act in self.acts:
            if act.stamps is not None and not is_stamp(act.stamps):
                yield f"{act.name} sets {act.stamps}, which is no stamp"
            if act.once and act.stamps is None:
                yield f"{act.name} may be made once and leaves no stamp to tell it by"
            for need in _in_order(act.needs):
                if is_stamp(need) and need not in set_:
                    yield f"{act.name} needs {need}, which nothing sets"
        for stamp in _in_order({*self.follows, *(b for f in self.follows.values() for b in f)}):
            if stamp not in set_:
                yield f"{stamp} follows or is followed, and nothing sets it"

    def _reached(self) -> set[S]:
        seen, fresh = {self.start}, [self.start]
        while fresh:
            for after in self.moves.get(fresh.pop(), frozenset()) - seen:
                seen.add(after)
                fresh.append(after)
        return seen


def is_stamp(fact: Fact) -> bool:
    """True for facts that only an act sets; given by hand they count for nothing."""
    return fact.value.endswith("_AT")


def _in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    asked = frozenset(facts)
    return tuple(fact for fact in Fact if fact in asked)
