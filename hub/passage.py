"""One request on its way, whatever brought it: admitted, asked, answered or refused.

    admit ──► who asks, what for, whose business ──► answer ──► Plan, record, bytes
       └───────────── anything that goes wrong ────► refuse ──► record, error

A transport (`endpoint.py` for POST /graphql) reads its own protocol and leaves the rest to this.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from authz.post import Asker
from authz.rule import EMERGENCY
from catalog.errors import (
    DeadlineExceeded,
    HubError,
    Internal,
    RateLimited,
    Unauthenticated,
)
from hub import declared, end_users, notes
from hub.asking import CASE_HEADER, Headers, Known
from hub.decoding import JSON
from hub.release import Sent, Visit
from hub.runs import looked_up
from hub.strict import answered
from hub.telemetry import AnySpan, Attribute, SpanName, mark
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
        self._counted = False

    async def admit(self) -> Known:
        """Who asks, for which purpose and case. HubError for whoever may not ask at all."""
        hub, visit = self._hub, self.visit
        known = await hub.askers.known(self._headers)
        asker = known.gate.asker
        self.visit = replace(visit, client=known.client, asker=asker, basis=known.basis)
        await self._count(asker)
        headers = self._headers = declared.plain(self._headers)
        self._declared(headers)
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
        with hub.pace.running(known.gate.asker), hub.telemetry.span(SpanName.PLAN) as span:
            with looked_up() as numbers:
                answer, known = await answered(hub, question, self._headers, known)
            visit.asker = known.gate.asker
            visit.run = hub.runs.longest(visit.asker.principal_id, numbers)
            if answer.fault is not None:
                _log.error("internal error", exception=answer.fault, request=visit.request_id)
            if span.is_recording():
                _tell(span, answer)
        with hub.telemetry.span(SpanName.AUDIT):
            return await hub.release.answer(answer, visit, self.media)

    async def refuse(self, error: Exception) -> Sent:
        """The answer to whatever was raised on the way; recorded if we know whose it is."""
        said = self._said(error)
        if isinstance(error, HubError):
            self._recognise()
            asker = self.visit.asker
            if asker is None:
                self._hub.rejects.add(self.visit.ip, said.reason or said.code)
            else:
                try:
                    await self._count(asker)
                except RateLimited as slowed:
                    said = slowed
                if isinstance(said, RateLimited):
                    return await self._slowed(said, asker)
        return await self._hub.release.refusal(said, self.visit, self.media)

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
    mark(span, Attribute.OPERATION_TYPE, told.operation)
    mark(span, Attribute.DECISION, told.outcome)
    mark(span, Attribute.ROWS, sum(read.rows for read in told.reads))
    if told.digest:
        mark(span, Attribute.DOCUMENT, told.digest)
