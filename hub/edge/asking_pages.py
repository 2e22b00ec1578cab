"""A page's one question, asked as its reader: through `Passage`, so recorded and masked as any.

The session's token, purpose and case number stand where a client's headers stand. What comes back
is the answer as the door has written it down, taken apart for the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import orjson

from audit.record import Receipt
from authz.gate import Gate
from authz.lens import CellState, Mode
from authz.wording import WHY
from catalog.datasets import Dataset
from catalog.load import Catalog
from console.page import Address, Answer, Page
from console.words import Words
from hub.edge.flat import FLAT
from hub.edge.passage import KEY_HEADER, Passage
from hub.identity.asking import CASE_HEADER, Headers, Known
from hub.identity.sessions import Session
from hub.identity.tokens import CERTIFICATE
from hub.release import Sent, Visit
from hub.worker import Hub
from resolvers.answer import Question
from schema.samples import sample

Choose = Callable[[tuple[str, ...]], Page]


class Brought(Protocol):
    """What is needed of a browser's request."""

    @property
    def headers(self) -> Headers: ...
    @property
    def visit(self) -> Visit: ...


@dataclass(slots=True)
class Asked:
    """What became of a page's question.

    `answer` None if nothing was answered; `errors` of all of it or of parts; `receipt` where its
    record stands.
    """

    page: Page
    visit: Visit
    status: int
    answer: Answer | None
    errors: Sequence[Mapping[str, Any]] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)
    receipt: Receipt | None = None
    known: Known | None = None
    catalog: Catalog | None = None

    @property
    def posts(self) -> Sequence[Mapping[str, Any]]:
        """The reader's posts as ``viewer`` tells them; none if we do not know him."""
        if self.known is None:
            return ()
        viewer: Any = self.known.context["viewer"]
        found: Sequence[Mapping[str, Any]] = viewer["posts"]
        return found

    @property
    def roles(self) -> tuple[str, ...]:
        """His roles."""
        return tuple(str(post["role"]) for post in self.posts)

    def words(self, words: Words) -> Words:
        """With what the reader himself may."""
        if self.known is None or self.catalog is None:
            return words
        judged = partial(rights, self.known.gate, self.catalog)
        return replace(words, rights=judged, roles=self.roles)


def hub_words(hub: Hub) -> Words:
    """The words of this hub, with a sample question for every type."""
    return Words(hub.catalog, sample=lambda name: sample(hub.engine.bindings.schema, name))


def headers_of(session: Session, brought: Headers, key: str = "") -> Headers:
    """A session as the headers of a request."""
    made = {
        b"authorization": f"Bearer {session.token}".encode(),
        b"x-purpose": session.purpose.encode(),
    }
    if session.case_no:
        made[CASE_HEADER] = session.case_no.encode()
    if CERTIFICATE in brought:
        made[CERTIFICATE] = brought[CERTIFICATE]
    if key:
        made[KEY_HEADER] = key.encode("latin-1", "replace")
    return made


async def ask(
    hub: Hub,
    call: Brought,
    session: Session,
    choose: Choose,
    address: Address,
    form: Mapping[str, str] | None,
) -> Asked:
    """Ask what the page asks; every refusal is an answer, too, and recorded like one."""
    headers = headers_of(session, call.headers, (form or {}).get("key", ""))
    passage, known = Passage(hub, headers, call.visit), None
    passage.media, page = FLAT, choose(())
    try:
        known = await passage.admit()
        page = choose(tuple(post.role for post in known.gate.asker.posts))
        question = question_of(page, address, form)
        if question is None:
            return Asked(page, passage.visit, 200, Answer({}), known=known, catalog=hub.catalog)
        sent = await passage.release(await passage.asked(question, known, ours=True))
    except Exception as error:
        sent = await passage.refuse(error)
    return taken(hub, page, passage.visit, sent, known)


def question_of(page: Page, address: Address, form: Mapping[str, str] | None) -> Question | None:
    """What a page asks at an address, or with a form. BadUserInput; None: nothing."""
    if form is not None:
        return Question(page.deed_text, None, page.posted(form, address))
    variables = page.variables(address)
    return None if variables is None else Question(page.text, None, variables)


def taken(hub: Hub, page: Page, visit: Visit, sent: Sent, known: Known | None) -> Asked:
    """What the door has written, taken apart."""
    told: dict[str, Any] = orjson.loads(sent.body)
    extensions = told.pop("extensions", {})
    audit = extensions.get("audit")
    receipt = None if audit is None else Receipt(audit["idx"], audit["leaf"], audit["log"])
    if sent.status != 200:
        answer, errors = None, told.get("errors") or [_of_problem(told)]
    else:
        errors = told.pop("errors", ())
        answer = Answer(told, errors, extensions)
    return Asked(page, visit, sent.status, answer, errors, extensions, receipt, known, hub.catalog)


def _of_problem(problem: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"message": problem["detail"], "extensions": problem}


async def purposes_of(hub: Hub, session: Session, brought: Headers) -> list[tuple[str, str]]:
    """The purposes the session's token may declare, with their titles. Unauthenticated."""
    claims = await hub.askers.claims(headers_of(session, brought))
    found = hub.catalog.purposes
    return [(code, found[code].title) for code in claims.purposes if code in found]


def rights(gate: Gate, catalog: Catalog) -> list[Mapping[str, Any]]:
    """What this Gate lets of each data set be read: the very Lenses the Plan reads with."""
    return [_right(gate, catalog, name) for name in catalog.datasets]


def _right(gate: Gate, catalog: Catalog, name: str) -> Mapping[str, Any]:
    dataset = catalog.datasets[name]
    cells = _cells(gate, dataset)
    states: dict[CellState, list[str]] = {}
    for field_name, state in cells or ():
        one = dataset.by_name[field_name]
        if one.exposed:
            said = f"{one.title}（逐行而定）" if state is CellState.MIXED else one.title
            states.setdefault(_AS.get(state, state), []).append(said)
    hangs = _hangs(dataset)
    return {
        "title": dataset.title,
        "provider": dataset.provider,
        "read": "否" if cells is None else "可",
        "list": "可" if not hangs and not gate.lens(dataset, Mode.LIST).rows.empty else "否",
        "clear": "、".join(states.get(CellState.CLEAR, ())),
        "masked": "、".join(states.get(CellState.MASKED, ())),
        "hidden": "、".join(states.get(CellState.HIDDEN, ())),
        "why": "" if cells is not None else _why(gate, dataset, hangs),
    }


PERSONS = ("Citizen", "Household")
_AS = {CellState.MIXED: CellState.MASKED}


def _cells(gate: Gate, dataset: Dataset) -> Iterable[tuple[str, CellState]] | None:
    """The state of every column; of what hangs on a person, for adults of the post's own place."""
    if _hangs(dataset):
        return gate.facet(dataset).cells(gate.asker.posts[0].base)
    lens = gate.lens(dataset, Mode.KEY)
    return None if lens.rows.empty else [(name, rule.state) for name, rule in lens.cells.items()]


def _why(gate: Gate, dataset: Dataset, hangs: bool) -> str:
    if hangs:
        post = gate.asker.posts[0]
        reason = gate.demand(dataset.object, "read", post.base, dataset.provider).reason
    else:
        reason = gate.refusal(dataset, Mode.KEY).reason
    return "" if reason is None else WHY[reason]


def _hangs(dataset: Dataset) -> bool:
    """Has it rows of a person or household alone, judged where he lives?"""
    return dataset.auth in PERSONS and dataset.type != dataset.auth
