"""Departments that are subgraphs of their own, each by the words of its ``[source.graphql]``.

    POST {address}{path}  {"query": "query($representations: [_Any!]!) { _entities(…) {
        ... on Resident { idCard name chronicRecords { disease } } } }", "variables": {…}}
    -> {"data": {"_entities": [{…}, null, …]}}

The document is built once, when the read is prepared, and names only what may be seen; id
numbers travel as variables. An entity is one person: null is nobody, its rows are nobody else's.
HTTP 200 is not success: one error in an answer and nothing of it counts, for a list that is
null because it failed would look like a person without records. A number that comes masked
cannot be compared with the one asked for: those rows are withheld, and the person is told of.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from adapters.contract import Call, Prepared, ReadRequest, Rows
from adapters.identity import canonical
from adapters.resilience import Fault, Reason
from adapters.row import NOTHING, RowReader
from adapters.sample import PEOPLE, ROWS, Sample, Somebody, columns_of
from adapters.web.http import JSON, decoded, inside
from adapters.web.persons import (
    NOBODY,
    KeyedRead,
    PersonsSource,
    Raw,
    in_batches,
    masked,
    refusal,
    wanted,
)
from adapters.web.question import Question, asking, least, variables
from catalog.datasets import Dataset, SourceSpec
from catalog.interface import Way
from catalog.subgraph import Ask, Subgraph

MASKED = "*"
REFUSED = frozenset(
    {
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "BAD_USER_INPUT",
        "QUERY_TOO_COMPLEX",
        "OPERATION_TOO_COMPLEX",
    }
)
"""Codes by which servers refuse a document: asking again is of no use, the catalogue is wrong."""
UNAUTHENTICATED = "UNAUTHENTICATED"

Asked = Mapping[str, str]
"""Each text a call asks by -> the person's canonical number."""


@dataclass(frozen=True, slots=True)
class GraphqlRead(KeyedRead):
    """A prepared read with its document."""

    question: Question


@dataclass(slots=True)
class Heard:
    """What calls brought: entities by person, each once; masked ones, and whose they may be."""

    entities: dict[str, list[Raw]] = field(default_factory=dict)
    masked: list[Raw] = field(default_factory=list)
    perhaps: set[str] = field(default_factory=set)

    def add(self, other: Heard) -> None:
        """What a further call brought."""
        self.masked += other.masked
        self.perhaps |= other.perhaps
        for key, entities in other.entities.items():
            for entity in entities:
                self.file(key, entity)

    def file(self, key: str, entity: Raw) -> None:
        """A server that takes all spellings alike gives one entity once a spelling."""
        known = self.entities.setdefault(key, [])
        if entity not in known:
            known.append(entity)

    @property
    def withheld(self) -> set[str]:
        """Persons of whom nothing came in clear."""
        return self.perhaps - self.entities.keys()


class GraphqlSource(PersonsSource[Subgraph]):
    """A department's subgraph, read by id number."""

    way = "in GraphQL"

    @staticmethod
    def words_of(spec: SourceSpec) -> Subgraph | None:
        """``[source.graphql]``."""
        return spec.graphql

    def prepare(self, request: ReadRequest) -> Prepared:
        """Write the document; ValueError for anything but a plain read by id number."""
        dataset, order = request.dataset, request.order or request.dataset.order
        refused = refusal(dataset, request)
        if refused:
            raise ValueError(f"{self.name}.{dataset.name}: {refused}")
        found, raw = wanted(request, NOTHING)
        # What sorts the rows is asked for, too, and goes no further.
        question = asking(self._words, dataset, [*raw, *(name for name, _ in order)])
        return GraphqlRead(
            dataset=dataset,
            raw=raw,
            reader=RowReader(request, found, self._divisions, self._mask),
            order=order,
            single=dataset.facet is not None and not dataset.facet.many,
            shape=_shape(self._words, question, request),
            question=question,
        )

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """Rows grouped by key in the order asked. SourceUnavailable if any call fails."""
        assert isinstance(prepared, GraphqlRead)  # noqa: S101  made by prepare above
        heard, keys = Heard(), call.keys or ()
        until = self.guard.until(call.deadline)
        async for part in self._heard(prepared.question, prepared.dataset, keys, until):
            heard.add(part)
        found = {k: _rows(heard.entities.get(k, ()), prepared.question) for k in keys}
        return prepared.rows(found, call, as_of=self._now(), withheld=heard.withheld)

    async def ping(self) -> None:
        """Ask for nobody: no entity shows that the system is up and lets us in."""
        await self.guard.run(partial(self._ask, least(self._words), {NOBODY: NOBODY}))

    async def sample(self, dataset: Dataset, somebody: Somebody) -> Sample:
        """The first rows of some persons of the register, of the columns that are there."""
        names = await self._there(dataset)
        if not names:
            return Sample((dataset.table,), frozenset(), ())
        question, people = asking(self._words, dataset, names), await somebody(PEOPLE)
        found = list[Raw]()
        async for heard in self._heard(question, dataset, people, self.guard.until()):
            for entities in (*heard.entities.values(), heard.masked):
                found += _rows(entities, question)
            if len(found) >= ROWS:
                break
        rows = [{name: row[name] for name in names} for row in found[:ROWS]]
        return Sample((), frozenset(names), rows)

    async def _there(self, dataset: Dataset) -> Sequence[str]:
        """The columns its graph has: all at once or, if such a document is refused, one by one."""
        names = columns_of(dataset)
        if await self._reads(dataset, names):
            return names
        return [name for name in names if await self._reads(dataset, [name])]

    async def _reads(self, dataset: Dataset, names: Sequence[str]) -> bool:
        question = asking(self._words, dataset, names)

        async def ask() -> bool:
            try:
                await self._ask(question, {NOBODY: NOBODY})
            except Fault as fault:
                if fault.reason is not Reason.SCHEMA:
                    raise
                return False
            return True

        return await self.guard.run(ask)

    async def _heard(
        self, question: Question, dataset: Dataset, people: Iterable[str], until: float
    ) -> AsyncIterator[Heard]:
        def ask(texts: Sequence[str]) -> Coroutine[Any, Any, Heard]:
            return self.guard.run(partial(self._ask, question, _whose(texts)), until=until)

        formats, size = dataset.key.formats, self._words.batch
        async for heard in in_batches(people, formats, size, ask):
            yield heard

    async def _ask(self, question: Question, asked: Asked) -> Heard:
        subgraph = self._words
        said = {"query": question.document, "variables": variables(subgraph, asked)}
        body = json.dumps(said).encode()
        # Without this some servers answer a refused document with another status.
        headers = {"Accept": JSON, **subgraph.headers, **await self._signer.headers(body)}
        answer = decoded(await self._door.post(subgraph.path, body, headers))
        return self._opened(answer, question, asked)

    def _opened(self, answer: Any, question: Question, asked: Asked) -> Heard:
        if not isinstance(answer, dict):
            raise Fault(Reason.SCHEMA)
        if answer.get("errors"):
            raise self._fault(answer["errors"])
        entities = inside(answer, ("data", question.root))
        if not isinstance(entities, list):
            raise Fault(Reason.SCHEMA)
        heard = Heard()
        for entity, candidates in zip(entities, self._candidates(entities, asked), strict=True):
            if entity is not None:
                _check(entity, question)
                _judge(heard, entity, self._words.key, candidates)
        return heard

    def _candidates(self, entities: Sequence[Any], asked: Asked) -> Sequence[Asked]:
        """Whom each entity may be: of `_entities` the one who stands at its place."""
        if self._words.by is Ask.QUERY:
            return [asked] * len(entities)
        if len(entities) != len(asked):
            raise Fault(Reason.SCHEMA)
        return [dict([one]) for one in asked.items()]

    def _fault(self, errors: Any) -> Fault:
        """Why the first of the errors stands there, by its code: its text may name persons."""
        first = errors[0] if isinstance(errors, list) else None
        code = inside(first, ("extensions", "code"))
        if code == UNAUTHENTICATED:
            return Fault(again=self._signer.refused())  # the guard's second try, a new token
        refused = str(code) in REFUSED or (code is None and _about_the_document(first))
        return Fault(Reason.SCHEMA if refused else Reason.DOWN)


def _shape(subgraph: Subgraph, question: Question, request: ReadRequest) -> str:
    return f"POST {subgraph.path} ≤{subgraph.batch} {question.document}{masked(request)}"


def _whose(texts: Sequence[str]) -> Asked:
    return {text: canonical(text).id18 or "" for text in texts}


def _about_the_document(error: Any) -> bool:
    # An error of a field has its path; what has a place in the document only is about that.
    return inside(error, ("path",)) is None and bool(inside(error, ("locations",)))


def _check(entity: Any, question: Question) -> None:
    # A server gives every field it was asked for: one that is missing was no answer to this.
    if not isinstance(entity, dict) or not question.own <= entity.keys():
        raise Fault(Reason.SCHEMA)
    for row in _lists(entity, question.way):
        if not isinstance(row, dict) or not question.columns <= row.keys():
            raise Fault(Reason.SCHEMA)


def _lists(part: Any, way: Way) -> Sequence[Any]:
    for name in way:
        if part is None:
            return ()
        if not isinstance(part, dict) or name not in part:
            raise Fault(Reason.SCHEMA)
        part = part[name]
    if part is None:
        return ()
    return part if isinstance(part, list) else (part,)


def _judge(heard: Heard, entity: Raw, key: str, asked: Asked) -> None:
    # INVARIANT: nobody leaves the adapter who was not asked about, whatever the source sends.
    given = MASKED if entity[key] is None else entity[key]
    if type(given) not in (str, int):
        raise Fault(Reason.SCHEMA)
    said = canonical(str(given))
    if said.id18 is not None and said.id18 in asked.values():
        heard.file(said.id18, entity)
    elif said.id18 is None and not said.dq:
        heard.masked.append(entity)
        heard.perhaps |= {key for text, key in asked.items() if _may_be(str(given), text, asked)}


def _may_be(given: str, text: str, asked: Asked) -> bool:
    """True if a masked number may stand for this one: alone at its place, or as far as seen."""
    plain = unicodedata.normalize("NFKC", given).strip().upper()
    seen = plain.partition(MASKED)[0], plain.rpartition(MASKED)[2]
    whole = text.strip().upper()
    return len(asked) == 1 or (whole.startswith(seen[0]) and whole.endswith(seen[1]))


def _rows(entities: Iterable[Raw], question: Question) -> list[Raw]:
    """The rows of entities, each with its entity's own columns beside it."""
    return [
        {**row, **{name: entity[name] for name in question.own}}
        for entity in entities
        for row in _lists(entity, question.way)
    ]
