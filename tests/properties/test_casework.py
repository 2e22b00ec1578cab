"""Casework under any sequence of calls, retries and crashes: nothing forbidden, lost or doubled.

A walk files cases and acts on them as posts that may; it retries with the same key, crashes before
the commit and after it, acts on old versions, lets days pass and lets jobs run. After every step
the store holds exactly what a plain book beside it holds, kept by the design's literal tables.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from authz.gate import Gate
from authz.post import Asker
from catalog.errors import Conflict
from catalog.items import FlowKind
from hub.demo.site import Site
from resolvers.commands.cases import MOVES
from resolvers.deed import Done, Told, Writing
from store.cases import case_event, case_file
from store.register import citizen
from store.supervision import supervision_order
from store.work_orders import timeout_event, work_order
from tests.casework import MANY, MORE, Time, office_of
from tests.domain.test_case import acts
from tests.domain.walks import Row, Table
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = pytest.mark.loopback

POSTS = {
    "town": ("rev", "town", "532622205", "aid.review"),
    "dept": ("", "dept", "532622", "aid.review"),  # of the item
}
WHO = {
    "acceptCase": "town", "returnCase": "town", "rejectCase": "town", "visitCase": "town",
    "deliberateCase": "town", "publishCase": "town", "objectToCase": "town",
    "reviewCase": "town", "presentCase": "town", "approveCase": "dept", "denyCase": "dept",
    "notifyDecision": "dept",
    "deliverCase": "dept", "closeCase": "dept", "followUpCase": "town", "withdrawCase": "town",
}  # fmt: skip
ITEMS = {
    "MIN_LIVING": "mca",
    "WATER_SAFETY": "wat",
    "JOB_SEEKING": "hrss",
    "OFFSITE_REIMBURSEMENT": "med",
}
TABLES: Mapping[FlowKind, Table] = {
    flow: acts(flow) for flow in FlowKind if flow is not FlowKind.F5
}
ONWARD = [n for n in sorted(WHO) if n not in ("withdrawCase", "rejectCase", "returnCase")]
ENDED = {"CLOSED", "FOLLOWED_UP", "NOT_ACCEPTED", "WITHDRAWN"}
WALKS, STEPS = 10, 40


class Crashed(Exception):
    """The test's own: the process died here."""


@dataclass
class Booked:
    """A case as the book beside the store has it."""

    no: str
    item: str
    person: str
    flow: FlowKind
    state: str = "ROUTED"
    version: int = 1
    acts: list[str | None] = field(default_factory=lambda: [None, "ROUTE"])
    stamps: set[str] = field(default_factory=set)  # since the last decision

    def owes(self) -> int:
        """How many work orders are open now."""
        if self.state in ENDED - {"CLOSED"}:
            return 0
        if self.state == "DENIED":
            return 1 - ("NOTIFIED_AT" in self.stamps)
        if (self.flow, self.state) == (FlowKind.F4, "DELIVERING"):
            return 2 - len(self.stamps & {"NOTIFIED_AT", "DELIVERED_AT"})
        return 2 if self.state == "NOTICING" else 1

    def lacks(self, row: Row) -> bool:
        """Does an act need something that has not been done since the decision?"""
        return bool({need for need in row.needs if need.endswith("_AT")} - self.stamps)


class World:
    """A running hub over a county of its own, and posts that ask it without HTTP."""

    def __init__(self, edge: Edge, time: Time, runner: asyncio.Runner) -> None:
        self.edge, self.time, self.runner = edge, time, runner
        self.office = office_of(edge, _digest, time)
        self.people = self.run(self._people())
        self.keys = 0

    def run(self, deed: Any) -> Any:
        return self.runner.run(deed)

    async def _people(self) -> list[str]:
        place = citizen.c.region_path.like("532622205%")
        async with self.edge.hub.store.connect() as conn:
            found = await conn.execute(select(citizen.c.id).where(place).order_by(citizen.c.id))
            return [row.id for row in found][:60]

    def gate(self, who: str, item: str) -> Gate:
        book = self.edge.hub.keeper.current()
        dept, role, base, purpose = POSTS[who]
        dept = dept or ITEMS[item]
        post = book.post(dept, role, base)
        day = self.time.now().date()
        return Gate(
            book, Asker(f"{who}-{dept}", "official", (post,), purpose, day), self.edge.hub.catalog
        )

    def key(self) -> str:
        self.keys += 1
        return f"own/walk-{self.keys:06d}"

    async def rows(self, table: Any) -> list[Mapping[str, Any]]:
        async with self.edge.hub.store.connect() as conn:
            return [dict(row) for row in (await conn.execute(select(table))).mappings()]


def _digest(text: str) -> str:
    return f"{hash(text):x}"[-16:]


@dataclass(frozen=True)
class Noting:
    """Writes no record; `dies`: the process dies there, before the commit."""

    dies: bool = False

    async def __call__(self, connection: Any, told: Told, policy: int) -> None:
        if self.dies:
            raise Crashed


class Walk(RuleBasedStateMachine):
    """One walk; `world` is the module's, `book` its own."""

    world: World
    met: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.book: dict[str, Booked] = {}
        self.before = {r["case_no"] for r in self.world.run(self.world.rows(case_file))}
        self.last: tuple[str, dict[str, Any], Gate, str, Done] | None = None

    # -- what may happen

    @rule(person=st.integers(0, 59), item=st.sampled_from(sorted(ITEMS)))
    def files(self, person: int, item: str) -> None:
        who = self.world.people[person]
        given = _filing(who, item)
        gate, key = self.world.gate("town", item), self.world.key()
        done = self._do("submitCase", given, gate, key)
        mine = [b for b in self.book.values() if (b.person, b.item) == (who, item)]
        if any(one.state not in ENDED for one in mine):
            assert done.kind == "AlreadyFiled"
            return
        if done.kind == "AlreadyFiled":  # of the county's own cases
            assert done.values["caseNo"] in self.before
            return
        (row,) = [
            r for r in self.world.run(self.world.rows(case_file)) if r["id"] == done.rows["case"]
        ]
        flow = FlowKind(row["flow"])
        self.book[row["case_no"]] = Booked(row["case_no"], item, who, flow)
        self.last = ("submitCase", given, gate, key, done)

    @precondition(lambda self: self.book)
    @rule(
        at=st.integers(0, 10**6),
        name=st.sampled_from(sorted(WHO)),
        fitting=st.sampled_from([True, True, True, False]),
        old=st.sampled_from([False, False, False, True]),
        crash=st.sampled_from(["", "", "before", "after"]),
    )
    def acts(self, at: int, name: str, *, fitting: bool, old: bool, crash: str) -> None:
        case = list(self.book.values())[at % len(self.book)]
        table = TABLES[case.flow]
        if fitting:  # an act that may be made, if there is one
            may = [n for n in sorted(WHO) if (case.state, MOVES[n].act.value) in table]
            if not may:
                return
            name = may[at % len(may)]
        row = table.get((case.state, MOVES[name].act.value))
        version = case.version - 1 if old else case.version
        given = _acting(name, case, version)
        gate, key = self.world.gate(WHO[name], case.item), self.world.key()
        if crash == "before":
            try:
                done = self._do(name, given, gate, key, dies=True)
                assert done.kind != "CaseChanged"
            except Conflict:
                self.met["refused"] += 1
            except Crashed:
                self.met["died before the commit"] += 1
            return
        if old or row is None:
            with pytest.raises(Conflict) as conflict:
                self._do(name, given, gate, key)
            assert conflict.value.reason == ("VERSION" if old else "STATE")
            self.met["refused"] += 1
            return
        done = self._do(name, given, gate, key)
        if done.kind == "NoticeRunning":
            assert "NOTICE_OVER" in row.needs
            return
        assert (done.kind != "CaseChanged") == case.lacks(row), (done, case)
        if done.kind != "CaseChanged":
            self.met["not yet"] += 1
            return
        self._moved(case, name, (given, gate, key, done))
        if crash == "after":
            self.retries()

    @precondition(lambda self: self.book)
    @rule(at=st.integers(0, 10**6), far=st.integers(1, 9), dies=st.booleans(), stale=st.booleans())
    def goes_on(self, at: int, far: int, *, dies: bool, stale: bool) -> None:
        """One case some acts further on its way; a notice is waited for.

        Each act may die before its commit first, or be tried on a version that is no more.
        """
        case = list(self.book.values())[at % len(self.book)]
        for _ in range(far):
            table = TABLES[case.flow]
            rows = {n: table.get((case.state, MOVES[n].act.value)) for n in ONWARD}
            may = [
                n
                for n, row in rows.items()
                if row is not None and not case.lacks(row) and row.stamp not in case.stamps
            ]
            if not may:
                return
            name = may[at % len(may)]
            if "NOTICE_OVER" in table[case.state, MOVES[name].act.value].needs:
                self.time_passes(9)
            given = _acting(name, case, case.version)
            gate, key = self.world.gate(WHO[name], case.item), self.world.key()
            if dies:
                with pytest.raises(Crashed):
                    self._do(name, given, gate, key, dies=True)
                self.met["died before the commit"] += 1
            if stale:
                with pytest.raises(Conflict):
                    self._do(name, given | {"version": case.version + 1}, gate, self.world.key())
                self.met["refused"] += 1
            done = self._do(name, given, gate, key)
            assert done.kind == "CaseChanged", (done, case)
            self._moved(case, name, (given, gate, key, done))

    def _moved(self, case: Booked, name: str, told: tuple[Any, ...]) -> None:
        act = MOVES[name].act.value
        row = TABLES[case.flow][case.state, act]
        case.stamps = (set() if row.stamp == "DECIDED_AT" else case.stamps) | (
            {row.stamp} if row.stamp else set()
        )
        case.state = row.after
        case.version += 1
        case.acts.append(act)
        self.met[name] += 1
        given, gate, key, done = told
        self.last = (name, given, gate, key, done)

    @precondition(lambda self: self.last is not None)
    @rule()
    def retries(self) -> None:
        assert self.last is not None
        name, given, gate, key, done = self.last
        again = self._do(name, given, gate, key)
        assert (again.kind, again.rows, again.again) == (done.kind, done.rows, True)
        self.met["retried"] += 1

    @rule(days=st.sampled_from([1, 3, 9, 40]))
    def time_passes(self, days: int) -> None:
        self.world.time.pass_days(days)
        self.last = None  # a receipt is kept for a day

    @rule(
        name=st.sampled_from(["overdue", "overdue", "outages", "reminders", "escalation", "expiry"])
    )
    def a_job_runs(self, name: str) -> None:
        self.world.run(self.world.edge.hub.jobs.run(name, now=True))
        if name == "expiry":
            self.last = None

    # -- what holds

    @invariant()
    def the_store_is_the_book(self) -> None:
        rows = {r["case_no"]: r for r in self.world.run(self.world.rows(case_file))}
        mine = {r["id"]: r for no, r in rows.items() if no in self.book}
        assert rows.keys() >= self.book.keys()
        told = {no: (r["state"], r["version"]) for no, r in rows.items() if no in self.book}
        assert told == {no: (b.state, b.version) for no, b in self.book.items()}
        events: dict[str, list[Mapping[str, Any]]] = {key: [] for key in mine}
        for event in self.world.run(self.world.rows(case_event)):
            if event["case_id"] in events:
                events[event["case_id"]].append(event)
        for key, found in events.items():
            ordered = sorted(found, key=lambda e: e["seq"])
            assert [e["seq"] for e in ordered] == list(range(1, len(ordered) + 1))
            assert [e["act"] for e in ordered] == self.book[mine[key]["case_no"]].acts

    @invariant()
    def clocks_are_those_of_the_state(self) -> None:
        ids = {
            r["id"]: self.book[r["case_no"]]
            for r in self.world.run(self.world.rows(case_file))
            if r["case_no"] in self.book
        }
        orders = [o for o in self.world.run(self.world.rows(work_order)) if o["case_id"] in ids]
        open_ = Counter(o["case_id"] for o in orders if o["open"])
        for key, case in ids.items():
            assert open_[key] == case.owes(), case
        late = {t["id"] for t in self.world.run(self.world.rows(timeout_event))}
        assert {o["id"] for o in orders if o["late"]} == late & {o["id"] for o in orders}
        urges = [
            (u["case_id"], u["node"])
            for u in self.world.run(self.world.rows(supervision_order))
            if u["kind"] == "URGE" and u["case_id"] in ids and u["state"] != "CLOSED"
        ]
        assert len(urges) == len(set(urges))

    def _do(
        self, name: str, given: Mapping[str, Any], gate: Gate, key: str, *, dies: bool = False
    ) -> Done:
        done: Done = self.world.run(
            self.world.office.do(name, {"input": given}, gate, Writing(key, Noting(dies)))
        )
        return done


def _acting(name: str, case: Booked, version: int) -> dict[str, Any]:
    """What an act is asked with."""
    given: dict[str, Any] = {"caseNo": case.no, "version": version, **MORE.get(name, {})}
    if name == "notifyDecision":
        given["channel"] = _code("channel", "PHONE")
        if case.state == "DELIVERING":
            given["expectedOn"] = "2099-01-01"
    return given | {MOVES[name].text[0]: "照办"}


def _filing(person: str, item: str) -> dict[str, Any]:
    proxy = {"citizen": person, "relation": "邻居", "consent": "SQ-1"}
    words = {"item": item, "channel": "PROXY_RAISED", "intake": "HOME_VISIT"}
    given: dict[str, Any] = {"applicant": person, "body": "请求办理", "proxy": proxy}
    return given | {n: _code(n, v) for n, v in words.items()}


def _code(name: str, value: str) -> Any:
    """A code as the schema gives it to a command."""
    return getattr(Enum(name, {value: value}), value)


@pytest.fixture(scope="module")
def world(pristine: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    time = Time()
    folder: Path = tmp_path_factory.mktemp("walk") / "site"
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        opened = over(copied(pristine, folder), MANY, clock=time)
        edge = runner.run(stack.enter_async_context(opened))
        yield World(edge, time, runner)
        runner.run(stack.aclose())


def test_no_sequence_of_calls_retries_and_crashes_breaks_the_rules(world: World) -> None:
    class Here(Walk):
        pass

    Here.world, Here.met = world, Counter()
    profile = settings(
        max_examples=WALKS,
        stateful_step_count=STEPS,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=profile)
    assert min(Here.met[what] for what in ("died before the commit", "retried", "refused")) > 3
    assert sum(name in Here.met for name in WHO) > 7
    late = world.run(world.rows(timeout_event))
    assert len(late) > 20
