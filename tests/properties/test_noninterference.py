"""Who cannot see a difference gets the same bytes: two counties that differ in what he may not see.

``HUB_TEST_DOCUMENTS`` says how many documents are asked (tests/resolvers/counts.py); a thousand
by day, two hundred an asker, each with one of its sets of variables and in either mode by turns.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import Select, bindparam

from authz.book import PolicyBook
from authz.gate import Gate
from authz.lens import Condition, Lens, Mode, TableColumns
from authz.roles import pairs, parents_of, roles
from catalog.datasets import Dataset
from catalog.grades import Mask
from catalog.load import Catalog
from hub.app import DOCUMENT_LIMITS
from resolvers.answer import Answer, Engine, Question
from resolvers.roots.root import Words
from schema.build import build
from tests.oracle.rights import Judge
from tests.properties.twins import twin
from tests.resolvers.conftest import VIEWER, Desk
from tests.resolvers.counts import each_seed, share

if TYPE_CHECKING:
    from hub.demo.site import Site
    from resolvers.binding import Bindings
    from tests.properties.conftest import OpenDesk
    from tests.resolvers.conftest import NewDocument

DOCUMENTS = 200  # an asker and day
CASE = {"case_no": "X"}
ASKERS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "a village": ("zhelai-village-01", "aid.file", {}),
    "a township": ("zhelai-town-01", "aid.review", {}),
    "a township with a case": ("zhelai-town-01", "aid.review", CASE),
    "a department": ("mca-dept-01", "aid.review", {}),
    "the office": ("office-01", "report", {}),
}


@dataclass
class Pair:
    """The county and its twin; `changed`: what differs in the twin, by kind."""

    ours: Desk
    theirs: Desk
    account: str
    purpose: str
    more: dict[str, Any]
    changed: Counter[str]
    met: Counter[str] = field(default_factory=Counter)

    def gate(self, desk: Desk) -> Gate:
        return desk.gate(self.account, self.purpose, **self.more)


def sent(answer: Answer) -> bytes:
    """Everything a client is sent."""
    return orjson.dumps([answer.data, answer.errors, dict(answer.extensions)])


NewPair = Callable[[str], contextlib.AbstractContextManager[Pair]]


@pytest.fixture(scope="module")
def new_pair(
    site: Site,
    desk: Desk,
    catalog: Catalog,
    bindings: Bindings,
    open_desk: OpenDesk,
    tmp_path_factory: pytest.TempPathFactory,
) -> NewPair:
    """``new_pair(asker)``: the county, and one that differs in what this asker may not see."""

    @contextlib.contextmanager
    def make(asker: str) -> Iterator[Pair]:
        account, purpose, more = ASKERS[asker]
        if more:
            more = more | {"bound": site.shown("zhelai").household}
        judge = Judge(desk.book.rules, desk.asker(account, purpose, **more), catalog)
        folder = tmp_path_factory.mktemp("twin") / "site"
        copy, changed = twin(site, folder, judge, catalog, bindings)
        with open_desk(copy) as opened:
            ours, theirs = desk.behind_a_gateway(), opened.behind_a_gateway()
            yield Pair(ours, theirs, account, purpose, more, changed)

    return make


@pytest.mark.parametrize("asker", ASKERS)
def test_what_one_may_not_see_changes_no_byte(
    new_pair: NewPair, document: NewDocument, asker: str
) -> None:
    with new_pair(asker) as pair:
        engines = [(desk, desk.engine(True)) for desk in (pair.ours, pair.theirs)]
        rows = [(desk, desk.engine(False)) for desk in (pair.ours, pair.theirs)]

        def compared(seed: int) -> None:
            made, found, works = document(seed, nulls=True, gateway=True), [], []
            question = Question(made.text, made.name, made.variables[seed % 3])
            for desk, engine in (engines, rows)[seed % 2]:
                before = desk.sent()
                gate = pair.gate(desk)
                answer = desk.runner.run(engine.answer(question, gate, {"viewer": VIEWER}))
                found.append(sent(answer))
                works.append(desk.sent() - before)
            assert found[0] == found[1], (seed, asker, made)
            assert works[0] == works[1], (seed, asker, made)
            pair.met["answers"] += 1
            pair.met["references"] += "_entities" in made.text
            pair.met["whole"] += not answer.errors
            pair.met["persons"] += sum(len(r.subjects) for r in answer.disclosure.reads)
            pair.met["masked"] += sum(sum(r.masked.values()) for r in answer.disclosure.reads)

        asked = each_seed(DOCUMENTS, compared)
    assert asked == share(DOCUMENTS)
    assert pair.met["answers"] == asked
    # The documents did show something, and the counties do differ in much.
    assert pair.met["whole"] > asked // 3
    assert pair.met["persons"] > asked // 10
    assert pair.met["references"] > asked // 10
    least = {"rows gone": 100, "rows written over": 100, "records gone": 100}
    if asker == "the office":  # it sees every row of the county, and less of each
        least = {"MASKED cells": 1_000, "DENIED cells": 1_000, "records gone": 100}
    assert {kind for kind, count in least.items() if pair.changed[kind] < count} == set()


@pytest.mark.parametrize("asker", ["a township", "a department", "the office"])
def test_who_may_see_more_does_see_the_difference(
    new_pair: NewPair, document: NewDocument, asker: str
) -> None:
    """The trap is armed: for somebody else the same documents differ before long."""
    with new_pair(asker) as pair:
        engines = [(desk, desk.engine(True)) for desk in (pair.ours, pair.theirs)]
        for seed in range(share(DOCUMENTS)):
            made = document(seed)
            question = Question(made.text, made.name, made.variables[0])
            found = [
                sent(desk.runner.run(engine.answer(question, desk.gate("lab"), {"viewer": VIEWER})))
                for desk, engine in engines
            ]
            if found[0] != found[1]:
                return
    raise AssertionError("nobody saw a difference")


# ---- a planted fault ---------------------------------------------------------------------------


class Raw(Lens):
    """A Lens with a fault: conditions are on the bare column, whoever may see it."""

    def filterable(self, column: str) -> bool:
        return True

    def source(self, table: TableColumns, columns: Any, where: Any, prefix: str) -> Select[Any]:
        rows = super().source(table, columns, [], prefix)
        return rows.where(*(self._bare(table, leaf) for leaf in where))

    def _bare(self, table: TableColumns, leaf: Condition) -> Any:
        known = {**table.columns, **table.extra}
        column = known[leaf.column]
        value = bindparam(leaf.param, type_=column.type)
        return {"eq": column == value, "ge": column >= value, "lt": column < value}[leaf.op]


class RawGate(Gate):
    """A Gate that hands out such Lenses."""

    def lens(self, dataset: Dataset, mode: Mode, identifier: str | None = None) -> Lens:
        right = super().lens(dataset, mode, identifier)
        return Raw(**{f.name: getattr(right, f.name) for f in fields(right)})


FILTERED = """query($item: ServiceItem) { cases(filter: {item: $item}) {
  totalCount nodes { id caseNo } pageInfo { hasNextPage } } }"""


def interfering(
    site: Site,
    desk: Desk,
    open_desk: OpenDesk,
    folder: Any,
    gate_class: type[Gate],
) -> list[str]:
    """Items whose cases are answered differently by county and twin, by one kind of Gate.

    In this catalogue the item belongs to the case's text, which a village may not read; today's
    filters are on open columns alone.
    """
    catalog = _with_secret_items(desk.catalog)
    bindings = build(catalog)
    book = PolicyBook(9, desk.book.rules, parents_of(pairs(roles())), catalog)
    asker = desk.asker("zhelai-village-01", "aid.file")
    copy, changed = twin(site, folder, Judge(book.rules, asker, catalog), catalog, bindings)
    assert changed["DENIED cells"] > 10
    found: dict[str, list[bytes]] = {item: [] for item in catalog.codes["ServiceItem"]}
    with open_desk(copy) as other:
        for one in (desk, other):
            setting = replace(one.setting, words=Words(catalog, synthetic=True))
            engine = Engine(bindings, setting, DOCUMENT_LIMITS)
            for item, answers in found.items():
                question = Question(FILTERED, None, {"item": item})
                gate = gate_class(book, asker, catalog)
                answers.append(sent(one.runner.run(engine.answer(question, gate, {}))))
    assert len(found) >= 15
    return [item for item, (ours, theirs) in found.items() if ours != theirs]


def _with_secret_items(catalog: Catalog) -> Catalog:
    case = catalog.datasets["case"]
    secret = tuple(
        replace(f, object="Case.body", mask=Mask.HIDE, nullable=True) if f.name == "item" else f
        for f in case.fields
    )
    hub = catalog.sources["hub"]
    changed = replace(case, fields=secret)
    sources = {
        **catalog.sources,
        "hub": replace(
            hub, datasets=tuple(changed if d.name == "case" else d for d in hub.datasets)
        ),
    }
    return replace(catalog, datasets={**catalog.datasets, "case": changed}, sources=sources)


def test_a_filter_on_a_bare_column_is_seen(
    site: Site, desk: Desk, open_desk: OpenDesk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("planted")
    assert interfering(site, desk, open_desk, folder / "faulty", RawGate) != []
    assert interfering(site, desk, open_desk, folder / "right", Gate) == []
