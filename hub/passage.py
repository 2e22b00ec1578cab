"""One request on its way, whatever brought it: admitted, asked, answered or refused.

    admit ──► who asks, what for, whose business ──► answer ──► Plan, record, bytes
       └───────────── anything that goes wrong ────► refuse ──► record, error

A transport (`endpoint.py` for POST /graphql) reads its own protocol and leaves the rest to this.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import structlog

from authz.rule import EMERGENCY
from catalog.errors import (
    AuditUnavailable,
    DeadlineExceeded,
    HubError,
    Internal,
    Unauthenticated,
)
from hub import end_users, notes
from hub.asking import CASE_HEADER, Headers, Known
from hub.decoding import JSON
from hub.release import Sent, Visit, outcome_of
from hub.runs import looked_up
from hub.strict import answered
from hub.telemetry import AnySpan, Attribute, SpanName, named_after, offer
from hub.worker import Hub
from resolvers.answer import Answer, Question

_log = structlog.get_logger("hub.passage")


class Passage:
    """What is known of a request so far; of one request, by one task.

    `media`: the type of the answer, JSON until the transport knows better.
    """

    def __init__(self, hub: Hub, headers: Headers, visit: Visit) -> None:
        self._hub, self._headers = hub, headers
        self.visit, self.media = visit, JSON
        self._began = perf_counter()

    async def admit(self) -> Known:
        """Who asks, for which purpose and case. HubError for whoever may not ask at all."""
        hub, headers, visit = self._hub, self._headers, self.visit
        known = await hub.askers.known(headers)
        asker = known.gate.asker
        self.visit = Visit(visit.request_id, known.client, visit.ip, asker, known.basis)
        hub.quorum.demand()
        if CASE_HEADER in headers or end_users.HEADER in headers:
            known = await hub.askers.narrowed(known, headers)
            asker = known.gate.asker
            self.visit = replace(
                self.visit, asker=asker, end_user=hub.release.token(asker.end_user)
            )
        if notes.HEADER in headers or asker.purpose == EMERGENCY:
            self.visit = await self._explained(asker.purpose)
        return known

    async def answer(self, question: Question, known: Known) -> Sent:
        """The question of an admitted asker through the Plan, recorded, as bytes."""
        hub, visit = self._hub, self.visit
        with looked_up() as numbers:
            answer, known = await answered(hub, question, self._headers, known)
        visit.asker = known.gate.asker
        visit.run = hub.runs.longest(visit.asker.principal_id, numbers)
        if answer.fault is not None:
            _log.error("internal error", exception=answer.fault, request=visit.request_id)
        span = hub.telemetry.current()
        if span.is_recording():
            _tell(span, answer)
        with hub.telemetry.span(SpanName.AUDIT):
            sent = await hub.release.answer(answer, visit, self.media)
        lost = sent.code == AuditUnavailable.code  # then nothing of the answer has left
        return self.ended(sent, "FAILED" if lost else answer.disclosure.outcome)

    async def refuse(self, error: Exception) -> Sent:
        """The answer to whatever was raised on the way; recorded if we know whose it is."""
        said = self._said(error)
        if isinstance(error, HubError):
            self._recognise()
            if self.visit.asker is None:
                self._hub.rejects.add(self.visit.ip, said.reason or said.code)
                self._hub.telemetry.metrics.stranger(said.reason or said.code)
        with self._hub.telemetry.span(SpanName.AUDIT):
            sent = await self._hub.release.refusal(said, self.visit, self.media)
        return self.ended(sent, outcome_of(said))

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

    def _said(self, error: Exception) -> HubError:
        if isinstance(error, HubError):
            return error
        if isinstance(error, TimeoutError):
            return DeadlineExceeded("处理超时：请缩小查询范围后重试")
        # The door must close on whatever happened behind it; its text may hold anything.
        name = type(error).__name__
        _log.error("internal error", exception=name, request=self.visit.request_id)
        return Internal("内部错误：请告知请求编号")

    def _recognise(self) -> None:
        """A refusal before the purpose was settled still belongs to the token's account."""
        if self.visit.asker is not None:
            return
        try:
            claims = self._hub.askers.claims(self._headers)
        except Unauthenticated:
            return
        self.visit = self._hub.askers.visit_of(claims, self.visit)

    async def _explained(self, purpose: str) -> Visit:
        """The visit with what the asker said of it; an emergency's is in the log from now on."""
        visit, words = self.visit, notes.words(self._headers, purpose)
        if words:
            visit = replace(visit, note=await self._hub.notes.keep(words))
        if purpose == EMERGENCY:
            intent = await self._hub.release.intent(visit)
            visit = replace(visit, intent=str(intent.idx))
        return visit


def _tell(span: AnySpan, answer: Answer) -> None:
    told = answer.disclosure
    named_after(span, told.operation)
    offer(span, Attribute.ROWS, sum(read.rows for read in told.reads))
    if told.digest:
        offer(span, Attribute.DOCUMENT, told.digest)
    if "cost" in answer.extensions:
        offer(span, Attribute.COST, answer.extensions["cost"])
