"""POST /print/{kind} makes a print, GET /print/{number} shows a stored one; both are questions.

A print goes the road of any question: identity, pace, purpose, Plan, record, door. What stands in
its way is a problem as on the REST face; what leaves is a page. The number of case or order stands
in the body, since it leads to one person and URLs are kept by whatever they pass (ADR 0033); the
number of a print names a paper.

A stored print is shown to whoever may see now all that it shows: its question is asked anew, under
the reader's own rights, and that reading is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.types import Receive, Scope

from catalog.errors import BadUserInput, Forbidden, HubError, MethodNotAllowed, NotFound
from hub.edge import decoding
from hub.edge.body import body_of
from hub.edge.face import Face
from hub.edge.flat import FLAT
from hub.edge.passage import Passage
from hub.identity.asking import Headers, Known, text_of
from hub.printing.content import record_of, shows_more
from hub.printing.kinds import ROOT, Kind
from hub.printing.making import content_in
from hub.printing.page import paper
from hub.release import Paper, Sent, Visit, outcome_of
from resolvers.answer import Answer, Question
from resolvers.assemble import formatted
from store.prints import Printed

GET, POST = "GET", "POST"
MISSING = "没有此编号，或不在您的职责范围内"
_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9-]{3,31}\Z")  # as in X-Case-No


class Printing(Face):
    """Prints and stored prints; one per worker."""

    methods = b"GET, POST"

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        """The page; whatever stands in its way is a problem."""
        passage = Passage(self._hub, headers, visit)
        passage.media = FLAT
        what: str = scope["path_params"]["what"]
        try:
            if scope["method"] == POST:
                kind = text_of(headers, b"content-type"), text_of(headers, b"content-encoding")
                decoding.check_content_type(*kind)
                known = await passage.admit()
                return await self._made(self._kind(what), passage, known, receive)
            if scope["method"] == GET:
                return await self._stored(what, passage, await passage.admit())
            raise MethodNotAllowed(
                "打印请用 POST，查看已有打印件请用 GET",
                allow=f"{GET}, {POST}",
                english="use GET or POST",
            )
        except Exception as error:
            return await passage.refuse(error)

    async def _made(self, kind: Kind, passage: Passage, known: Known, receive: Receive) -> Sent:
        body = await body_of(receive, self._hub.settings.deadline_s)
        number = _number(kind, decoding.decode_object(body))
        known = await passage.fresh(known)
        answer = await passage.asked(self._question(kind, number), known, ours=True)
        refusal = unprintable(answer) or _not_yet(kind, answer)
        if refusal is not None:
            return await passage.release(refusal)
        made = await self._hub.prints.make(kind, answer, passage.visit)
        where = (b"location", f"/print/{made.printed.number}".encode())
        sent = self._hub.release.page(
            paper(made.printed), passage.visit, made.receipt, where, status=201
        )
        return passage.ended(sent, answer.disclosure.outcome)

    async def _stored(self, number: str, passage: Passage, known: Known) -> Sent:
        printed = await self._hub.prints.find(number)
        if printed is None:
            raise NotFound(MISSING)
        answer = await passage.asked(self._again(printed), known, ours=True)
        refusal = unprintable(answer) or self._clearer(printed, answer)
        if refusal is not None:
            return await passage.release(refusal)
        passage.visit.paper = Paper(printed.number, printed.sha256, copy=True)
        receipt = await self._hub.release.copied(answer, passage.visit)
        sent = self._hub.release.page(paper(printed), passage.visit, receipt)
        return passage.ended(sent, answer.disclosure.outcome)

    def _kind(self, name: str) -> Kind:
        kinds = self._hub.prints.kinds
        if name not in kinds:
            raise NotFound(f"没有此打印种类；可打印：{'、'.join(kinds)}")
        return kinds[name]

    def _again(self, printed: Printed) -> Question:
        kind, row = self._hub.prints.kinds[printed.kind], record_of(content_in(printed))
        assert row is not None  # noqa: S101  a print is of a row
        return self._question(kind, row[kind.number])

    def _question(self, kind: Kind, number: str) -> Question:
        return Question(kind.text, None, kind.variables(number, self._hub.settings.page_max))

    def _clearer(self, printed: Printed, answer: Answer) -> Answer | None:
        """The refusal, if the stored print shows what this reader may not see."""
        if not shows_more(content_in(printed), self._hub.prints.content(answer)):
            return None
        said = "此打印件载有您现在无权查看的内容：如有需要，请自行打印一份"
        return _refused(answer, Forbidden(said, reason="PRINT_SHOWS_MORE"))


def unprintable(answer: Answer) -> Answer | None:
    """What is answered instead of a page: an answer with an error, in part too, or of no row.

    A paper that leaves out what could not be had would look whole.
    """
    if answer.errors:
        told = answer.disclosure
        outcome = "FAILED" if told.outcome == "PARTIAL" else told.outcome
        return replace(answer, data=None, executed=False, disclosure=replace(told, outcome=outcome))
    if answer.data is None or answer.data[ROOT] is None:
        return _refused(answer, NotFound(MISSING))
    return None


def _not_yet(kind: Kind, answer: Answer) -> Answer | None:
    try:
        kind.check(orjson.loads(orjson.dumps(answer.data))[ROOT])
    except HubError as error:
        return _refused(answer, error)
    return None


def _refused(answer: Answer, error: HubError) -> Answer:
    """Nothing of it is shown; the record says what was read, and why nothing came of it."""
    told = replace(answer.disclosure, outcome=str(outcome_of(error)), code=error.code)
    return Answer(None, False, (formatted(error),), {}, told)


def _number(kind: Kind, given: Mapping[str, Any]) -> str:
    """The one member of the body. BadUserInput."""
    number = given.get(kind.number)
    if set(given) != {kind.number} or not isinstance(number, str) or not _NUMBER.match(number):
        raise BadUserInput(f"请求体须只含编号 `{kind.number}`", reason="VARIABLE")
    return number
