"""Scenarios played under a policy: was every claim true, and what was found instead?

Judged through the Gate, by the roads a request takes: the verdict on a row, the Lens of a
list, the cells of a data set, the predicate a statement would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Integer, String, literal_column, select

from authz.book import PolicyBook
from authz.gate import Gate
from authz.lens import CellState, Mode
from authz.post import Asker
from authz.scenarios import Case, Expect, Scenarios
from authz.scope import Scope
from authz.wording import STATES
from catalog.load import Catalog

BOUND = "household"
"""Stands for the household of the case a scenario gives the number of."""
ALLOWED, REFUSED = "允许", "不许"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended, in words: `found` equals `expected` if the claim is true."""

    name: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        """As claimed?"""
        return self.expected == self.found


def rehearsed(
    scenarios: Scenarios, book: PolicyBook, catalog: Catalog, today: date
) -> list[Outcome]:
    """Every case in order. RuleError for lines no book can hold, Internal if judges disagree."""
    day = scenarios.day or today
    return [outcome(case, book, catalog, day) for case in scenarios.cases]


def outcome(case: Case, book: PolicyBook, catalog: Catalog, day: date) -> Outcome:
    """One case, under the book with the case's own lines."""
    played = book.with_rules((*book.rules, *case.lines)) if case.lines else book
    expected, found = _JUDGED[case.expect](case, _gate(case, played, catalog, day), catalog)
    return Outcome(case.name, expected, found)


def _gate(case: Case, book: PolicyBook, catalog: Catalog, day: date) -> Gate:
    ask = case.ask
    asker = Asker(
        "scenario",
        "official",
        tuple(book.post(*post) for post in case.posts),
        ask.purpose,
        ask.day or day,
        case_no=ask.case_no,
        bound=None if ask.case_no is None else BOUND,
    )
    return Gate(book, asker, catalog)


def _verdict(case: Case, gate: Gate, _catalog: Catalog) -> tuple[str, str]:
    ask = case.ask
    verdict = gate.demand(ask.object, ask.act, ask.region, ask.owner, ask.minor)
    expected = ALLOWED if case.expect is Expect.ALLOW else REFUSED
    if case.reason is not None:
        expected = f"{REFUSED}（{case.reason}）"
    if verdict.allowed:
        return expected, ALLOWED
    any_reason = case.expect is Expect.DENY and case.reason is None
    return expected, REFUSED if any_reason else f"{REFUSED}（{verdict.reason}）"


def _list(case: Case, gate: Gate, catalog: Catalog) -> tuple[str, str]:
    ask, places = case.ask, catalog.divisions.by_path
    rows = gate.lens(catalog.datasets[ask.dataset], Mode.LIST).rows
    if case.places is None:
        depts = {d.code: d.short for d in catalog.departments.values()}
        return case.text, rows.describe(places, depts)
    claimed = frozenset(p for p in places if p.startswith(tuple(case.places)))
    found = frozenset(p for p in places if rows.admits(p, ask.owner, ask.minor))
    return _covered(claimed, catalog), _covered(found, catalog)


def _columns(case: Case, gate: Gate, catalog: Catalog) -> tuple[str, str]:
    claimed = case.columns or {}
    states = _cells(case, gate, catalog)
    found = {name: STATES[states.get(name, CellState.HIDDEN)] for name in claimed}
    return _pairs(claimed), _pairs(found)


def _sql(case: Case, gate: Gate, catalog: Catalog) -> tuple[str, str]:
    ask = case.ask
    scope, owned = gate.scope(ask.object, ask.act), catalog.owned(ask.object)
    rows = scope if owned else scope.for_owner(catalog.objects[ask.object].provider)
    return " ".join(case.text.split()), predicate(rows, owned=owned)


_JUDGED: Mapping[Expect, Callable[[Case, Gate, Catalog], tuple[str, str]]] = {
    Expect.ALLOW: _verdict,
    Expect.DENY: _verdict,
    Expect.LIST: _list,
    Expect.COLUMNS: _columns,
    Expect.SQL: _sql,
}


def predicate(scope: Scope, *, owned: bool) -> str:
    """A scope as the text of a WHERE, its values written out."""
    region = literal_column("region_path", String())
    owner = literal_column("owner", String()) if owned else None
    where = scope.where(region, owner, literal_column("minor", Integer()), "s")
    one: ColumnElement[int] = literal_column("1", Integer())
    statement = select(one).where(where).params(scope.binds("s"))
    text = str(statement.compile(compile_kwargs={"literal_binds": True}))
    return " ".join(text.partition("WHERE")[2].split())


def _cells(case: Case, gate: Gate, catalog: Catalog) -> Mapping[str, CellState]:
    """The state of every column for one row or person; empty if there is nothing to see."""
    ask, dataset = case.ask, catalog.datasets[case.ask.dataset]
    row = (ask.region, ask.owner, ask.minor)
    if dataset.facet is not None:
        person = gate.lens(catalog.of_type(dataset.facet.on), Mode.KEY)
        cells = gate.facet(dataset).cells(ask.region, ask.minor)
        return dict(cells or ()) if person.rows.admits(*row) else {}
    lens = gate.lens(dataset, Mode.KEY)
    states = {}
    for name, rule in lens.cells.items():
        seen = CellState.MASKED if rule.see.admits(*row) else CellState.HIDDEN
        states[name] = CellState.CLEAR if rule.clear.admits(*row) else seen
    return states


def _pairs(states: Mapping[str, str]) -> str:
    return "，".join(f"{name} {state}" for name, state in states.items())


def _covered(paths: frozenset[str], catalog: Catalog) -> str:
    """A set of places as the largest that lie in it wholly, and what is left of it."""
    places = catalog.divisions.by_path
    outside = [path for path in places if path not in paths]
    whole = [p for p in paths if not any(path.startswith(p) for path in outside)]
    tops = [p for p in whole if not any(p != q and p.startswith(q) for q in whole)]
    rest = [p for p in paths if not p.startswith(tuple(tops))]
    named = [f"{places[p].name}（{p}）" for p in sorted(tops)]
    named += [f"{places[p].name}（{p}）本级" for p in sorted(rest)]
    return "、".join(named) or "无"
