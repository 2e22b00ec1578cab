"""The demo county and every road into it, for whoever means no good.

A road is a way by which a person's data could be reached. Those that do not exist yet
(`_entities`, `node`, mutations) are counted in test_roads_not_there.py: who adds one adds it to
each attack here. Subscriptions have a file of their own: their roads begin with an event.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.post import Asker
from authz.roles import pairs, parents_of, roles
from bench.served import Served, serving
from hub.demo.complaints import complaint_no
from hub.demo.planted import Demonstration
from hub.demo.site import Site
from resolvers.answer import Answer, Engine, Question
from tests.resolvers.conftest import (
    VIEWER,
    Desk,
    bindings,
    catalog,
    desk,
    runner,
    site,
)

__all__ = ["bindings", "catalog", "desk", "runner", "site"]

TOWN, NEIGHBOUR, AUDITOR = "zhelai-town-01", "bange-town-01", "auditor-01"
PERSON = "name phone idNumber address birthDate birthBand access { field state }"
"""What is asked of a person: name and decade are clear to a township that corrects, no more."""


@dataclass(frozen=True, slots=True)
class Person(Demonstration):
    """A person to show, and by which digest subgraphs name him."""

    digest: str

    @property
    def complaint_no(self) -> str:
        """The number of his case's complaint."""
        return complaint_no(self.overdue_case_no)


@dataclass(frozen=True)
class Road:
    """A document that reaches a person (`%s`: what is asked of him), and its variables."""

    text: str
    given: tuple[str, ...] = ()

    def document(self, fields: str = PERSON) -> str:
        """The document asking these fields of the person."""
        return self.text.replace("%s", fields)

    def variables(self, who: Person) -> dict[str, Any]:
        """The keys of this road that lead to a person."""
        return {name: getattr(who, name) for name in self.given}


def _entity(kind: str, key: str, given: str, below: str = "%s") -> Road:
    """A road through ``_entities``, as a gateway asks: its variables hold the keys."""
    sent = f'[{{__typename: "{kind}", {key}: ${given}}}]'
    root = f"_entities(representations: {sent}) {{ ... on {kind} {{ {below} }} }}"
    return Road(f"query(${given}: String!) {{ {root} }}", (given,))


ROADS: Mapping[str, Road] = {
    "root by key": Road(
        "query($citizen: ID!) { citizen(by: {id: $citizen}) { %s } }", ("citizen",)
    ),
    "look-up": Road("query($id18: String!) { citizen(by: {idNumber: $id18}) { %s } }", ("id18",)),
    "list": Road('{ citizens(last: 100, division: "532622205201") { nodes { %s } } }'),
    "relation of a household": Road(
        "query($household: ID!) { household(id: $household) { members { %s } } }", ("household",)
    ),
    "relation of a case": Road(
        "query($case_no: String!) { case(caseNo: $case_no) { applicant { %s } } }", ("case_no",)
    ),
    "relation of an order": Road(
        "query($order_no: String!) { supervisionOrder(orderNo: $order_no)"
        " { case { applicant { %s } } } }",
        ("order_no",),
    ),
    "relation of a complaint": Road(
        "query($complaint_no: String!) { complaint(complaintNo: $complaint_no)"
        " { complainant { %s } } }",
        ("complaint_no",),
    ),
    "relations to and fro": Road(
        "query($case_no: String!) { case(caseNo: $case_no) { applicant { household { members {"
        " cases(first: 1) { nodes { applicant { %s } } } } } } } }",
        ("case_no",),
    ),
    "entity by key": _entity("Citizen", "id", "citizen"),
    "entity by digest": _entity("Citizen", "idDigest", "digest"),
    "entity of a household": _entity("Household", "id", "household", "members { %s }"),
    "entity of a case": _entity("Case", "caseNo", "case_no", "applicant { %s }"),
    "entity of an order": _entity(
        "SupervisionOrder", "orderNo", "order_no", "case { applicant { %s } }"
    ),
}
"""Roads to persons themselves. Facets, counts and the access log have roads of their own."""


@dataclass(frozen=True)
class County:
    """The county, and ways to ask it as anybody."""

    desk: Desk

    def engine(self, json_mode: bool = True) -> Engine:
        """A cold Engine."""
        return self.desk.engine(json_mode)

    def shown(self, label: str = "zhelai") -> Person:
        """A person to show: of the own township, or of the neighbouring one (``bange``)."""
        found = self.desk.site.shown(label)
        return Person(**asdict(found), digest=self.desk.setting.uid(found.id18))

    def asker(self, *accounts: str, purpose: str, **more: Any) -> Asker:
        """Somebody who holds the posts of these accounts."""
        posts = tuple(p for name in accounts for p in self.desk.asker(name).posts)
        return replace(self.desk.asker(accounts[0], purpose, **more), posts=posts)

    def answer(
        self,
        text: str,
        variables: Mapping[str, Any] | None = None,
        *,
        account: str = TOWN,
        purpose: str = "correct",
        engine: Engine | None = None,
        gate: Gate | None = None,
        **more: Any,
    ) -> Answer:
        """The answer to a document; a township that corrects asks, unless said otherwise."""
        gate = gate or self.desk.gate(account, purpose, **more)
        question = Question(text, None, dict(variables or {}))
        engine = engine or self.engine()
        return self.desk.runner.run(engine.answer(question, gate, {"viewer": VIEWER}))

    def book(self, version: int = 99, **changed: Any) -> PolicyBook:
        """The same policy as another version, or with each line of it changed."""
        rules = [replace(rule, **changed) for rule in self.desk.book.rules]
        return PolicyBook(version, rules, parents_of(pairs(roles())), self.desk.catalog)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the store itself, past every right."""
        with closing(sqlite3.connect(self.desk.site.folder / "store.sqlite")) as connection:
            return connection.execute(statement, values).fetchall()

    def secrets(self, who: Demonstration) -> list[str]:
        """What a township that corrects may see of nobody in a household: whole texts."""
        found = self.rows(
            "SELECT id18, phone, address, birth FROM citizen WHERE household_id = ?", who.household
        )
        return [text for row in found for text in row if text]


@pytest.fixture(scope="session")
def county(desk: Desk) -> County:
    return County(desk.behind_a_gateway())


def told(answer: Answer) -> bytes:
    """Everything a client is sent of an answer."""
    return orjson.dumps([answer.data, answer.errors, dict(answer.extensions)])


def reasons(answer: Answer) -> list[tuple[str, str | None]]:
    """Code and reason of each error."""
    return [(e["extensions"]["code"], e["extensions"].get("reason")) for e in answer.errors]


@pytest.fixture(scope="session")
def served(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The hub as a process over a copy of the county; one page is listed."""
    folder = tmp_path_factory.mktemp("served") / "site"
    shutil.copytree(site.folder, folder)
    given = {
        "HUB_CORS_ORIGINS": "https://desk.example http://127.0.0.1:5173",
        "HUB_RATE_PERSON": "100000",  # one clerk asks for all these tests
        "HUB_DEADLINE_S": "3",
        "HUB_SOURCE_DEADLINE_S": "3",
    }
    with serving(Site(folder, site.scale, site.people, site.demonstrations), given) as made:
        yield made
