"""A rule's document, asked of the whole county: page by page through Plan, record and door.

    page ──► Gate of the program's role ──► Plan ──► READ record ──► people, snapshots of sources

The asker is the program itself (role ``comparison``), which no account can be: whoever wants to
know what it may read finds its lines in the policy, and what it has read in the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

import orjson

from authz.gate import Gate
from authz.keeper import BookKeeper
from authz.post import Asker, Post
from catalog.divisions import COUNTY
from catalog.errors import Readable
from catalog.load import Catalog
from catalog.states import MatchGrade
from domain.comparison import Snapshot
from hub.edge.decoding import JSON
from hub.release import Release, Visit
from resolvers.answer import Engine, Question
from resolvers.execute import FACET_ROWS

ACTOR, ROLE, DEPT, KIND, PURPOSE = "comparison", "comparison", "rev", "system", "compare"
CLIENT = "hub-comparison"
REGISTER = "hub"
LIVE, DOWN, STALE = "LIVE", "SOURCE_DOWN", "STALE"
SURE = frozenset({MatchGrade.M1, MatchGrade.M2})
CLOSED = frozenset({"DENIED", "MASKED"})
FAILING = "SOURCE_UNAVAILABLE"  # the one error that costs facets and not the answer
Node = Mapping[str, Any]


class NotRead(Readable):
    """One Chinese line: why a rule could not be asked. Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a page: what was asked, and which facets could not be told."""

    node: Node
    down: frozenset[str]

    @property
    def id(self) -> str:
        """The key of the register's row."""
        return str(self.node["id"])

    @property
    def household(self) -> str | None:
        """The key of his household."""
        found = self.node["household"]
        return None if found is None else str(found["id"])

    def rows(self, container: str, name: str) -> Sequence[Node] | None:
        """The rows of a facet that are surely his; None if its source did not answer.

        M3 and M4 are doubts and hints: no rule reckons with them (领域设计 trap 13).
        """
        if f"{container}.{name}" in self.down:
            return None
        found = self.node[container][name]
        rows = found if isinstance(found, list) else [] if found is None else [found]
        return [row for row in rows if row["provenance"]["matchGrade"] in SURE]

    def cut(self, container: str, name: str) -> bool:
        """Are there as many rows as a facet shows of a person at most, so that some may be left?"""
        found = self.node[container][name]
        return isinstance(found, list) and len(found) >= FACET_ROWS

    def doubtful(self, container: str, name: str) -> bool:
        """Is there a row of a facet that may be somebody else's?"""
        found = self.node[container][name]
        rows = found if isinstance(found, list) else [] if found is None else [found]
        return any(row["provenance"]["matchGrade"] not in SURE for row in rows)


@dataclass(slots=True)
class Given:
    """What one source has given so far. `down`: for how many people it did not answer."""

    rows: int = 0
    down: int = 0
    stale: bool = False
    as_of: str | None = None
    _digest: Any = field(default_factory=sha256)

    def add(self, key: str, rows: Sequence[Any]) -> None:
        """Rows of a person, in the order they came."""
        if rows:
            self.rows += len(rows)
            self._digest.update(orjson.dumps([key, rows], option=orjson.OPT_SORT_KEYS))

    def snapshot(self, source: str) -> Snapshot:
        """As the run keeps it."""
        return Snapshot(source, self.rows, self._digest.hexdigest())

    def told(self, source: str) -> dict[str, Any]:
        """The same for whoever reads the run."""
        one = self.snapshot(source)
        state = DOWN if self.down else STALE if self.stale else LIVE
        said = {"source": source, "state": state, "asOf": self.as_of, "unread": self.down}
        return said | {"rows": one.rows, "digest": one.digest}


@dataclass(slots=True)
class Reading:
    """Asks one document; `given` fills while it is read. `day` is the Beijing day of the rights."""

    engine: Engine
    release: Release
    keeper: BookKeeper
    catalog: Catalog
    text: str
    page: int
    day: date
    people: int = 0
    given: dict[str, Given] = field(default_factory=dict)

    async def all(self) -> AsyncIterator[Person]:
        """Everybody on the register. NotRead, HubError."""
        after: str | None = None
        while True:
            answer = await self._asked(after)
            page = answer["data"]["page"]
            self._times(answer["extensions"]["sources"])
            for node in page["nodes"]:
                yield self._person(node)
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    async def _asked(self, after: str | None) -> dict[str, Any]:
        # Each page under the policy of its moment: what is revoked meanwhile is read no more.
        gate = Gate(await self.keeper.strict(), self._asker(), self.catalog)
        question = Question(self.text, None, {"first": self.page, "after": after})
        answer = await self.engine.answer(question, gate, {})
        basis = self.catalog.purposes[PURPOSE].legal_basis
        visit = Visit("", CLIENT, "", gate.asker, basis)
        sent = await self.release.answer(answer, visit, JSON)
        found: dict[str, Any] = orjson.loads(sent.body)
        other = [e for e in found.get("errors", ()) if e["extensions"]["code"] != FAILING]
        if other or (found.get("data") or {}).get("page") is None:
            first = (other or found["errors"])[0]
            raise NotRead(f"未能读取人员底册，比对没有进行：{first['message']}")
        return found

    def _asker(self) -> Asker:
        post = Post(DEPT, ROLE, COUNTY, frozenset({ROLE}))
        return Asker(ACTOR, KIND, (post,), PURPOSE, self.day)

    def _times(self, sources: Sequence[Mapping[str, Any]]) -> None:
        for one in sources:
            given, of = self.given.setdefault(one["name"], Given()), one.get("asOf")
            given.stale = given.stale or one["status"] == STALE
            if of is not None:
                given.as_of = of if given.as_of is None else min(given.as_of, of)

    def _person(self, node: Node) -> Person:
        self.people += 1
        states = {one["field"]: one["state"] for one in node["access"]}
        for name, state in states.items():
            if state in CLOSED:
                raise NotRead(
                    f"权限策略不允许比对程序读取 `{name}`，比对没有进行：请由办公室核对策略"
                )
        register = {key: node[key] for key in node if not isinstance(node[key], dict)}
        register.pop("access")
        self.given.setdefault(REGISTER, Given()).add(
            "", [register | {"household": node["household"]}]
        )
        for container, datasets in self.catalog.facets("Citizen").items():
            for dataset in datasets if container in node else ():
                name = dataset.facet.field if dataset.facet else ""
                if name in node[container]:
                    self._facet(f"{container}.{name}", dataset.source, node, states)
        return Person(node, frozenset(n for n, state in states.items() if state == DOWN))

    def _facet(self, path: str, source: str, node: Node, states: Mapping[str, str]) -> None:
        given = self.given.setdefault(source, Given())
        given.down += states.get(path) == DOWN
        given.stale = given.stale or states.get(path) == STALE
        container, name = path.split(".")
        found = node[container][name]
        given.add(
            f"{node['id']} {path}", found if isinstance(found, list) else [found] * bool(found)
        )
