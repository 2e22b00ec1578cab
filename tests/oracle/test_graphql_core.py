"""The Plan answers what graphql-core answers with plain resolvers over the same rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from graphql import is_abstract_type

from resolvers.binding import RootOf
from tests.oracle.oracle import ROOTS
from tests.resolvers.conftest import NOTHING
from tests.resolvers.counts import each_seed, share
from tests.resolvers.documents import OFFICERS
from tests.resolvers.whole import every_entity, every_facet, every_list

if TYPE_CHECKING:
    from resolvers.answer import Engine
    from tests.oracle.comparison import Leaves
    from tests.oracle.conftest import Bench
    from tests.resolvers.conftest import NewDocument
    from tests.resolvers.documents import Facts

CLEAN, DIRTY, ON_POSTGRES = 260, 240, 30  # documents a day; three sets of variables each
DOWN = 0.05  # how often each source does not answer, over the dirty county
PEOPLE = 2  # of whom every column is asked, beside the one to show
CASE = {"purpose": "aid.review", "case_no": "X"}
"""With a case's household (`bound`): what a township then sees in clear is most of all."""
RIDING = ["ID", "String", "Int", "Boolean", "enum", "DateTime", "DivisionCode", "list"]
LEAVES = [*RIDING, "Date", "Month", "Decimal", "Sequence"]
"""Types of leaves. Those that ride are met as JSON text too; the others stand on departments'
rows, on the log and on persons whose states differ row by row."""


CONDITION = "的条件不能为空"  # what is said of null for @skip or @include


def _place(json_mode: bool, path: list[Any] | None) -> str:
    """Where null for a condition was met: by mode, in the root's selection or below."""
    mode = "JSON mode" if json_mode else "row mode"
    return f"{mode}, {'below' if path else 'root'}"


PLACES = [_place(mode, path) for mode in (True, False) for path in (None, [0])]
ACCOUNTS = (
    *("lab", "zhelai-town-01", "with a case") * 2,
    *("zhelai-village-01", "mca-dept-01", "office-01", "auditor-01"),
)
"""Who asks; those to whom most is clear oftener."""


class Run:
    """Documents asked of one bench, in row mode and JSON mode by turns."""

    def __init__(
        self,
        bench: Bench,
        document: NewDocument | None,
        *,
        down: float = 0.0,
        accounts: Sequence[str] = ACCOUNTS,
    ) -> None:
        self.bench, self._document, self._down = bench, document, down
        self._accounts = accounts
        self.engines: dict[bool, Engine] = {m: bench.engine(m) for m in (True, False)}
        self.leaves: dict[bool, Leaves] = {m: bench.leaves() for m in (True, False)}
        self.met: Counter[str] = Counter()

    def __call__(self, seed: int) -> None:
        """Ask one document three times, on caches that the first time makes warm."""
        assert self._document is not None
        rng = random.Random(seed)
        account, more = self.asker(rng.choice(self._accounts), rng)
        made = self._document(seed, nulls=True, audit=account == "auditor-01", gateway=True)
        json_mode = rng.random() < 0.5
        self._switch(rng)
        for variables in made.variables:
            found = self.ask(json_mode, account, made.text, variables, made.name, **more)
            assert not found, (seed, account, json_mode, made, variables, found)
        self.met[account] += 1

    def ask(
        self,
        json_mode: bool,
        account: str,
        text: str,
        variables: Mapping[str, Any],
        name: str | None = None,
        **more: Any,
    ) -> list[Any]:
        """What differs; counts what was met."""
        before = self.bench.met.copy()
        engine = self.engines[json_mode]
        found, answer = self.bench.differences(engine, account, text, variables, name, **more)
        self.met.update(self.bench.met - before)
        self.met["leaves"] += self.leaves[json_mode].meet(text, name, variables, answer)
        codes = [e["extensions"]["code"] for e in answer.errors]
        self.met["whole entities"] += len((answer.data or {}).get("_entities") or ())
        self.met["entities"] += sum(
            one is not None
            for key, value in (answer.data or {}).items()
            if key[0] == "e" and isinstance(value, list)
            for one in value
        )
        self.met["refused for its size"] += "OPERATION_TOO_COMPLEX" in codes
        for error in answer.errors:
            if CONDITION in error["message"]:
                self.met[_place(json_mode, error.get("path"))] += 1
        return found

    def asker(self, account: str, rng: random.Random | None = None) -> tuple[str, dict[str, Any]]:
        """Account, and for what it asks: one of its purposes, or with a case."""
        desk = self.bench.desk
        if account == "with a case":
            return "zhelai-town-01", {**CASE, "bound": desk.site.shown("zhelai").household}
        purposes = desk.accounts[account].purposes
        return account, {"purpose": rng.choice(purposes) if rng else purposes[0]}

    def _switch(self, rng: random.Random) -> None:
        for name, switch in self.bench.switches.items():
            switch.down = rng.random() < (self._down / 5 if name == "hub" else self._down)


def worth(run: Run, documents: int) -> None:
    """The comparison was about something: many values, some errors, hardly a lost answer."""
    answers = run.met["answers"]
    assert answers == documents * 3
    assert run.met["leaves"] > documents * 20
    assert run.met["errors"] > documents / 10
    assert run.met["data null"] < answers / 10
    assert run.met["refused for its size"] == 0
    assert run.met["entities"] > documents / 5
    assert min(run.met[place] for place in PLACES) > 0
    assert all(run.met[a] > 0 for a in ("lab", "zhelai-town-01", "auditor-01", "office-01"))


def test_generated_documents_have_one_answer(bench: Bench, document: NewDocument) -> None:
    run = Run(bench, document)
    worth(run, each_seed(CLEAN, run))
    assert min(run.met[c] for c in ("FORBIDDEN", "BAD_USER_INPUT")) > 0
    assert run.met["INTERNAL"] == run.met["SOURCE_UNAVAILABLE"] == 0


def test_every_column_of_every_type_has_one_answer(bench: Bench, facts: Facts) -> None:
    run, schema = Run(bench, None), bench.desk.bindings.schema
    people = [{"id": one} for one in facts.citizens[:PEOPLE]]
    shown = {"id": bench.desk.site.shown("zhelai").citizen}
    sent: dict[str, list[dict[str, str]]] = {}
    for (kind, field), keys in facts.keys().items():
        sent.setdefault(kind, []).extend({"__typename": kind, field: key} for key in keys[:3])
    for json_mode in (True, False):
        for account in dict.fromkeys(ACCOUNTS):
            who, more = run.asker(account)
            asked = [(text, NOTHING) for text in every_list(schema, OFFICERS)]
            asked += [(text, one) for text in every_facet(schema) for one in (shown, *people)]
            asked += [(text, {"of": sent[kind]}) for kind, text in every_entity(schema)]
            for text, variables in asked:
                assert not run.ask(json_mode, who, text, variables, **more), (account, text)
    assert run.met["refused for its size"] == 0
    assert run.met["whole entities"] > 100
    rows, texts = run.leaves[False].row, run.leaves[True]
    assert [kind for kind in LEAVES if rows[kind] == 0] == []
    assert [kind for kind in LEAVES if (texts.row + texts.ride)[kind] == 0] == []
    assert [kind for kind in RIDING if texts.ride[kind] == 0] == []
    assert run.leaves[False].ride.total() == 0


def test_dirty_rows_and_sources_that_are_down_have_one_answer(
    dirty: Bench, document: NewDocument
) -> None:
    run = Run(dirty, document, down=DOWN)
    worth(run, each_seed(DIRTY, run))
    assert run.met["INTERNAL"] > share(DIRTY) / 10  # holes where a value must be
    assert run.met["SOURCE_UNAVAILABLE"] > share(DIRTY) / 20
    assert sum(switch.refused for switch in dirty.switches.values()) > 0


@pytest.mark.postgres
@pytest.mark.loopback
def test_generated_documents_have_one_answer_on_postgresql(
    pg_bench: Bench, document: NewDocument
) -> None:
    # The log of this database is empty; the oracle's is not.
    run = Run(pg_bench, document, accounts=[a for a in ACCOUNTS if a != "auditor-01"])
    each_seed(ON_POSTGRES, run)
    assert run.met["answers"] == share(ON_POSTGRES) * 3
    assert run.met["leaves"] > share(ON_POSTGRES) * 20


def test_the_oracle_resolves_every_field(bench: Bench) -> None:
    kinds = [k for n, k in bench.oracle.schema.type_map.items() if not n.startswith("__")]
    fields = [f for k in kinds for f in getattr(k, "fields", {}).values() if hasattr(f, "resolve")]
    assert len(fields) > 200
    assert [f for f in fields if f.resolve is None] == []
    named = bench.desk.bindings.by_coordinate
    # Groups have an oracle of their own: a plain count in tests/resolvers/test_stats.py.
    # What only the officer reads is compared with the records themselves in test_officer.py.
    roots = {at: b.name for at, b in named.items() if isinstance(b, RootOf)}
    # How sources stand is compared with their guards in tests/journeys/test_statuses.py.
    apart = {roots[f"Query.{name}"] for name in (*OFFICERS, "caseStats", "sources")}
    # What a subscription tells is compared with the query in tests/attacks/test_subscriptions.py.
    apart |= {name for at, name in roots.items() if at.startswith("Subscription.")}
    assert set(roots.values()) - apart == ROOTS.keys()
    # Of abstract types the oracle and the documents know the union of the entities.
    rows = [k.name for k in kinds if is_abstract_type(k) and not k.name.endswith("Payload")]
    assert rows == ["_Entity"]
