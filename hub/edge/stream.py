"""One subscription, whatever carries its frames: a Plan, a record and a frame for every event.

    changed row ──► the policy of now ──► who asks, anew ──► Plan ──► record ──► frame
                                                              └──► nothing of his: silence

Rights are those of the moment of each event, and every second the policy's version and the token
are looked at, so that a stream ends also while nothing happens. Its beginning is recorded before
it waits, its end with how it ended (audit 1.4).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

import orjson

from authz.book import PolicyBook
from authz.rule import EMERGENCY
from catalog.errors import AuditUnavailable, Forbidden, HubError
from hub.edge.changes import Subscriber
from hub.edge.passage import Passage
from hub.edge.strict import recognised
from hub.edge.unbroken import unbroken
from hub.identity.asking import Known
from hub.limits import RECOUNT_S, RIGHTS_S
from hub.release import Sent
from hub.worker import Hub
from resolvers.answer import Answer, Question, Watched, refusal
from resolvers.plan import Disclosure

COMPLETED, GONE, STOPPED = "COMPLETED", "CLIENT_GONE", "HUB_STOP"
"""How a subscription ends that the hub does not end: by a word, without one, with the hub."""
CUT, UNRECORDED = ("FAILED", "CLIENT_GONE"), ("FAILED", AuditUnavailable.code)
"""Its client takes nothing; an event could not be recorded, so it was not told."""


class Carrier(Protocol):
    """What brings frames to the asker: a WebSocket's operation, an answer of server-sent events."""

    async def opened(self) -> None:
        """The subscription is there."""

    async def told(self, sent: Sent) -> None:
        """One event."""

    async def idle(self) -> None:
        """Nothing happened for a second."""

    async def ended(self, sent: Sent, *, stranger: bool) -> None:
        """It ends with this refusal, or never began; `stranger`: he may ask nothing any more."""


class Subscription:
    """One subscription of one asker; `reason`: how it ends if its task is cancelled."""

    def __init__(self, hub: Hub, passage: Passage, question: Question) -> None:
        self._hub, self._headers = hub, passage.headers
        self._passage, self._question = passage, question
        self._book: PolicyBook | None = None
        self._stranger = False
        self._clock, self._counted = asyncio.get_running_loop().time, -RECOUNT_S
        self._last = b""
        self._ending = CUT
        self.reason = GONE

    async def run(self, known: Known, carrier: Carrier) -> None:
        """Until it ends or is cancelled. Raises what its carrier raises."""
        async with contextlib.AsyncExitStack() as stack:
            begun = await self._begun(known, stack)
            if isinstance(begun, Sent):
                await carrier.ended(begun, stranger=False)
                return
            watched, subscriber = begun
            self._book = known.gate.book
            try:
                await carrier.opened()
                await self._followed(watched, subscriber, carrier)
            except asyncio.CancelledError:
                if self._ending is CUT:
                    self._ending = "OK", self.reason
                raise
            finally:
                outcome, code = self._ending
                await self._recorded(replace(watched.told, outcome=outcome, code=code))

    async def _begun(
        self, known: Known, stack: contextlib.AsyncExitStack
    ) -> tuple[Watched, Subscriber] | Sent:
        """What is waited for, once that is recorded; or the refusal."""
        try:
            watched = await self._watched(known)
            if isinstance(watched, Answer):
                return await self._passage.release(watched)
            # Joined first: nothing that happens after the record is missed.
            joined = self._hub.changes.joined(watched.dataset, counted=watched.counted)
            subscriber = await stack.enter_async_context(joined)
            await self._announced(watched.told)
        except Exception as error:
            return await self._passage.refuse(error)
        return watched, subscriber

    async def _announced(self, told: Disclosure) -> None:
        """Its beginning is recorded. Who leaves meanwhile leaves an end of it, too."""
        announcing = asyncio.ensure_future(self._announce(told))
        try:
            await asyncio.shield(announcing)
        except asyncio.CancelledError:
            with contextlib.suppress(HubError):
                await announcing
                await self._recorded(replace(told, outcome="OK", code=self.reason))
            raise

    async def _announce(self, told: Disclosure) -> None:
        receipt = await self._hub.release.subscribed(told, self._passage.visit)
        self._passage.visit = replace(self._passage.visit, stream=str(receipt.idx))

    async def _watched(self, known: Known) -> Watched | Answer:
        if known.gate.asker.purpose == EMERGENCY:
            raise Forbidden("应急访问不能订阅：每次查看都须单独留痕，请改为查询", reason="PURPOSE")
        return await self._hub.engine.watch(self._question, known.gate)

    async def _recorded(self, told: Disclosure) -> None:
        with contextlib.suppress(AuditUnavailable):  # then its beginning stands alone
            await self._hub.release.unsubscribed(told, self._passage.visit)

    # -- while it lasts

    async def _followed(self, watched: Watched, subscriber: Subscriber, carrier: Carrier) -> None:
        """Tell every event until one is refused: so it ends."""
        while True:
            made = await self._made(watched, subscriber)
            if made is None:
                await carrier.idle()
                continue
            answer, sent = made
            if sent.answered:
                await carrier.told(sent)
                continue
            told = answer.disclosure
            self._ending = (told.outcome, told.code) if told.code else UNRECORDED
            await carrier.ended(sent, stranger=self._stranger)
            return

    async def _made(self, watched: Watched, subscriber: Subscriber) -> tuple[Answer, Sent] | None:
        """The next event's answer, recorded, or why there will be none; None: nothing to tell."""
        try:
            key = await self._due(watched, subscriber)
        except Exception as error:
            answer = refusal(watched.told, self._passage.said(error))
            return answer, await self._passage.release(answer)
        # Whoever leaves from here on may have had sources asked.
        return await unbroken(self._looked(watched, key), self._hub.settings.deadline_s)

    async def _due(self, watched: Watched, subscriber: Subscriber) -> str | None:
        """The key of the row that has changed; None: nothing has for a second."""
        key = await subscriber.next(RIGHTS_S)
        if key is not None and watched.counted:  # what else happens while it rests counts with it
            await asyncio.sleep(self._counted + RECOUNT_S - self._clock())
            self._counted = self._clock()
        return key

    async def _looked(self, watched: Watched, key: str | None) -> tuple[Answer, Sent] | None:
        try:
            answer = await self._next(watched, key)
        except Exception as error:
            answer = refusal(watched.told, self._passage.said(error))
        return None if answer is None else (answer, await self._passage.release(answer))

    async def _next(self, watched: Watched, key: str | None) -> Answer | None:
        """The next event's answer, or why there will be none; None: there is nothing to tell."""
        if key is None:
            return await self._still()
        answer = await self._event(key)
        if not _shown(answer):
            return None if answer.silent else _unshown(answer)
        return answer if not watched.counted or self._is_news(answer) else None

    async def _event(self, key: str) -> Answer:
        """The changed row as this asker may see it under the policy the store has now."""
        self._passage.again()
        await self._hub.keeper.strict()
        known = await self._recognised()
        return await self._passage.asked(replace(self._question, changed=key), known)

    async def _still(self) -> Answer | None:
        """The refusal, if token or rights are no longer what lets him listen."""
        with self._as_stranger():
            await self._hub.askers.claims(self._headers)
        if self._hub.keeper.current() is self._book:
            return None
        known = await self._recognised()
        watched = await self._hub.engine.watch(self._question, known.gate)
        return watched if isinstance(watched, Answer) else None

    async def _recognised(self) -> Known:
        with self._as_stranger():
            known = await recognised(self._hub, self._headers)
        self._book = known.gate.book
        return known

    @contextlib.contextmanager
    def _as_stranger(self) -> Iterator[None]:
        """Whoever is refused in here may ask nothing any more."""
        try:
            yield
        except HubError as error:
            self._stranger = error.status in (401, 403)
            raise

    def _is_news(self, answer: Answer) -> bool:
        """False for counts that are those he was told last; only their digest is kept."""
        digest = sha256(orjson.dumps(answer.data)).digest()
        if digest == self._last:
            return False
        self._last = digest
        return True


def _shown(answer: Answer) -> bool:
    return answer.executed and any(v is not None for v in (answer.data or {}).values())


def _unshown(answer: Answer) -> Answer:
    """An event whose row could not be told ends the subscription: he would miss it unawares."""
    return replace(answer, data=None, executed=False)
