"""One request on its way, whatever brought it: admitted, asked, answered or refused.

    admit ──► who asks, what for, whose business ──► answer ──► Plan, record, bytes
       └───────────── anything that goes wrong ────► refuse ──► record, error

A transport (`endpoint.py` for POST /graphql) reads its own protocol and leaves the rest to this.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from secrets import token_hex
from time import perf_counter
from typing import Any

import structlog

from authz.post import Asker
from authz.rule import EMERGENCY
from catalog.errors import (
    AuditUnavailable,
    BadRequest,
    DeadlineExceeded,
    HubError,
    Internal,
    RateLimited,
)
from hub import notes
from hub.edge import declared
from hub.edge.decoding import JSON, Params
from hub.edge.strict import answered, recognised
from hub.identity import end_users
from hub.identity.asking import CASE_HEADER, POSTS_S, Headers, Known, text_of
from hub.release import Sent, Visit, outcome_of
from hub.runs import looked_up
from hub.telemetry.spans import AnySpan, Attribute, SpanName, named_after, offer
from hub.worker import Hub
from resolvers.answer import Answer, Question
from resolvers.deed import Told, Writing

KEY_HEADER = b"idempotency-key"
_KEY = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_log = structlog.get_logger("hub.edge.passage")


def question_of(params: Params) -> Question:
    """The question of a decoded request."""
    return Question(params.query, params.operation_name, params.variables, params.document)


class Passage:
    """What is known of a request so far; of one request, by one task.

    `media`: the type of the answer, JSON until the transport knows better. `headers`: of who asks,
    those that other networks name otherwise under our names once he is admitted.
    """

    def __init__(self, hub: Hub, headers: Headers, visit: Visit) -> None:
        self._hub, self.headers = hub, headers
        self.visit, self.media = visit, JSON
        self._counted = False
        self._began = perf_counter()

    async def admit(self) -> Known:
        """Who asks, for which purpose and case. HubError for whoever may not ask at all."""
        known = await self.know()
        purpose = known.gate.asker.purpose
        if notes.HEADER in self.headers or purpose == EMERGENCY:
            self.visit = await self._explained(purpose)
        return known

    async def know(self) -> Known:
        """The same, of somebody who does not ask yet."""
        hub, headers, visit = self._hub, self.headers, self.visit
        known = await hub.askers.known(headers)
        asker = known.gate.asker
        self.visit = replace(visit, client=known.client, asker=asker, basis=known.basis)
        await self._count(asker)
        headers = self.headers = declared.plain(self.headers)
        self._declared(headers)
        hub.quorum.demand()
        if CASE_HEADER in headers or end_users.HEADER in headers:
            known = await hub.askers.narrowed(known, headers)
            asker = known.gate.asker
            self.visit = replace(
                self.visit, asker=asker, end_user=hub.release.token(asker.end_user)
            )
        return known

    async def answer(self, question: Question, known: Known) -> Sent:
        """The question of an admitted asker through the Plan, recorded, as bytes."""
        return await self.release(await self.asked(question, known))

    async def release(self, answer: Answer) -> Sent:
        """An answer, recorded, as bytes."""
        with self._hub.telemetry.span(SpanName.AUDIT):
            sent = await self._hub.release.answer(answer, self.visit, self.media)
        lost = sent.code == AuditUnavailable.code  # then nothing of the answer has left
        return self.ended(sent, "FAILED" if lost else answer.disclosure.outcome)

    async def asked(self, question: Question, known: Known, *, ours: bool = False) -> Answer:
        """The answer of the Plan; not yet recorded, so not to be shown.

        `ours`: the text is the program's own, reviewed with it; nobody else's is taken so.
        HubError for a document that is not there or may not be asked, before it is read at all.
        """
        if not ours:
            question = await self.settled(question, known)
        question = self._writing(question)
        hub, visit = self._hub, self.visit
        hub.telemetry.metrics.asked(trusted=ours or visit.trusted is not None, free=visit.free)
        # An event was not asked for just now: its subscription has its own bound.
        event = question.changed is not None
        slot = nullcontext() if event else hub.pace.running(known.gate.asker)
        with slot, looked_up() as numbers:
            answer, known = await answered(hub, question, self.headers, known)
        visit.asker = known.gate.asker
        visit.run = hub.runs.longest(visit.asker.principal_id, numbers)
        if answer.fault is not None:
            _log.error("internal error", exception=answer.fault, request=visit.request_id)
        if visit.free:
            document, client = answer.disclosure.digest, visit.client
            _log.warning("document not trusted", document=document, client=client)
        span = hub.telemetry.current()
        if span.is_recording():
            _tell(span, answer, visit)
        return answer

    def _writing(self, question: Question) -> Question:
        """With what a mutation needs. BadRequest HEADER for a key that is none.

        The key is the asker's own, so that he may send his request again, or this request's.
        """
        given = text_of(self.headers, KEY_HEADER)
        if given is not None and not _KEY.match(given):
            raise BadRequest(
                "Idempotency-Key 请用 8 到 64 个字母、数字或 . _ -",
                reason="HEADER",
                english="Idempotency-Key has 8 to 64 letters, digits or . _ -",
            )
        key = f"own/{given}" if given is not None else f"once/{token_hex(16)}"
        return replace(question, writing=Writing(key, self._record))

    async def _record(self, connection: Any, told: Told, policy: int) -> None:
        await self._hub.release.deed(connection, told, self.visit, policy)

    async def fresh(self, known: Known) -> Known:
        """Who asks, once his question has arrived: rights are a second old at most."""
        hub = self._hub
        waited = perf_counter() - self._began
        if waited < POSTS_S and hub.keeper.current() is known.gate.book:
            return known
        known = await recognised(hub, self.headers)
        self.visit = replace(self.visit, asker=known.gate.asker)
        return known

    async def subscribes(self, question: Question, known: Known) -> bool:
        """Is this settled question a subscription? Reading its text is an operation like others."""
        with self._hub.pace.running(known.gate.asker):
            return await self._hub.engine.subscribes(question)

    async def settled(self, question: Question, known: Known) -> Question:
        """The question with its text; a settled one is settled again as long as it may be asked."""
        settled = await self._hub.trusted.settle(question, known)
        self.visit.trusted, self.visit.free = settled.trusted, settled.free
        return settled.question

    async def refuse(self, error: Exception) -> Sent:
        """The answer to whatever was raised on the way; recorded if we know whose it is."""
        said = self.said(error)
        if isinstance(error, HubError):
            await self._recognise()
            asker = self.visit.asker
            if asker is None:
                self._hub.rejects.add(self.visit.ip, said.reason or said.code)
                self._hub.telemetry.metrics.stranger(said.reason or said.code)
            else:
                try:
                    await self._count(asker)
                except RateLimited as slowed:
                    said = slowed
                if isinstance(said, RateLimited):
                    return self.ended(await self._slowed(said, asker), outcome_of(said))
        with self._hub.telemetry.span(SpanName.AUDIT):
            sent = await self._hub.release.refusal(said, self.visit, self.media)
        return self.ended(sent, outcome_of(said))

    def again(self) -> None:
        """Another answer of the same request begins: an event of a subscription."""
        self._began = perf_counter()

    def ended(self, sent: Sent, outcome: str) -> Sent:
        """Told to whoever watches: how it ended and how long it took, of nobody."""
        telemetry = self._hub.telemetry
        telemetry.metrics.answered(outcome, sent.code, perf_counter() - self._began)
        span = telemetry.current()
        if span.is_recording():
            offer(span, Attribute.DECISION, outcome)
            if self.visit.asker is not None and self.visit.asker.purpose:
                offer(span, Attribute.PURPOSE, self.visit.asker.purpose)
        return sent

    async def _count(self, asker: Asker) -> None:
        """One request of the account, once, also if it was refused before its purpose was known.

        RateLimited RATE.
        """
        if not self._counted:
            self._counted = True
            self.visit.told += await self._hub.pace.admit(asker)

    async def _slowed(self, error: RateLimited, asker: Asker) -> Sent:
        """The first of a minute has a record of its own, the others are counted into one."""
        hub = self._hub
        if error.reason == "RATE":
            self.visit.told += hub.pace.told(asker)
        if hub.pace.is_first(asker.principal_id, error.reason):
            return await hub.release.refusal(error, self.visit, self.media)
        hub.rejects.add(self.visit.ip, error.reason or error.code, asker.principal_id)
        return hub.release.unrecorded(error, self.visit, self.media)

    def _declared(self, headers: Headers) -> None:
        """What the request says of itself goes into its record."""
        hub, visit = self._hub, self.visit
        visit.basis = declared.basis(headers, hub.catalog.legal_bases, visit.basis)
        visit.road = declared.message(headers, hub.keys.audit)

    def said(self, error: Exception) -> HubError:
        """What is told of whatever was raised; the log says more of an error of ours."""
        if isinstance(error, HubError):
            return error
        if isinstance(error, TimeoutError):
            return DeadlineExceeded("处理超时：请缩小查询范围后重试")
        # The door must close on whatever happened behind it; its text may hold anything.
        name = type(error).__name__
        _log.error("internal error", exception=name, request=self.visit.request_id)
        return Internal("内部错误：请告知请求编号")

    async def _recognise(self) -> None:
        """A refusal before the purpose was settled still belongs to the token's account."""
        if self.visit.asker is not None:
            return
        asker = await self._hub.askers.attributed(self.headers)
        if asker is not None:
            self.visit = replace(self.visit, client="", asker=asker)

    async def _explained(self, purpose: str) -> Visit:
        """The visit with what the asker said of it; an emergency's is in the log from now on."""
        visit, words = self.visit, notes.words(self.headers, purpose)
        if words:
            visit = replace(visit, note=await self._hub.notes.keep(words))
        if purpose == EMERGENCY:
            intent = await self._hub.release.intent(visit)
            visit = replace(visit, intent=str(intent.idx))
        return visit


def _tell(span: AnySpan, answer: Answer, visit: Visit) -> None:
    told = answer.disclosure
    named_after(span, told.operation)
    if visit.trusted is not None:  # any other name is the client's text
        offer(span, Attribute.OPERATION_NAME, visit.trusted.name)
    offer(span, Attribute.ROWS, sum(read.rows for read in told.reads))
    if told.digest:
        offer(span, Attribute.DOCUMENT, told.digest)
    if "cost" in answer.extensions:
        offer(span, Attribute.COST, answer.extensions["cost"])
