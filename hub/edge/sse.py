"""Server-sent events (graphql-sse, distinct connections): one operation, one answer in parts.

    event: next      data: an execution result            every 12 s without one:   :
    event: complete  data:

Who may not ask is told so by an ordinary answer with its status. What is wrong with the question
(400), and all that comes once the stream has begun, is a ``next`` with ``errors``, and
``complete``: of an answer that is no stream graphql-sse shows its users the status alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope

from hub.edge.passage import Passage
from hub.edge.seats import Seats
from hub.edge.stream import GONE, STOPPED, Subscription
from hub.identity.asking import Known
from hub.limits import BEAT_S, SEND_S, STREAMS_A_PRINCIPAL
from hub.release import Release, Sent, Visit, bare
from hub.server import END
from hub.worker import Hub
from resolvers.answer import Question

BEAT = b":\n\n"
WRONG = 400  # the question, its document or a value in it
COMPLETE = b"event: complete\ndata:\n\n"

Leave = Callable[[Sent, bool, bool], Awaitable[None]]
"""Sends what the door made: with its head or without, with more to follow or not."""


class Streams:
    """Answers in parts; one per worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.seats = Seats(STREAMS_A_PRINCIPAL, "数据流")

    async def once(self, passage: Passage, question: Question, known: Known, leave: Leave) -> None:
        """The answer of a query for who takes streams alone: one part, and the end."""
        try:
            sent = await passage.answer(question, known)
        except Exception as error:
            sent = await passage.refuse(error)
        events = Events(leave, self._hub.release, passage.visit)
        with contextlib.suppress(OSError):  # the client has gone, or took nothing (TimeoutError)
            if sent.answered:
                await events.opened()
            await events.ended(sent, stranger=False)

    async def subscription(
        self,
        scope: Scope,
        passage: Passage,
        question: Question,
        known: Known,
        leave: Leave,
        receive: Receive,
    ) -> None:
        """A subscription until it ends, its client has gone, or the server stops."""
        stop = asyncio.Event()
        scope[END] = stop.set
        events = Events(leave, self._hub.release, passage.visit)
        try:
            with self.seats.taken(known.gate.asker.principal_id):
                subscription = Subscription(self._hub, passage, question)
                await _run(subscription, known, events, left(receive, stop))
        except Exception as error:
            refused = await passage.refuse(error)
            with contextlib.suppress(OSError):
                await events.ended(refused, stranger=False)


class Events:
    """The answer of one operation; a Carrier. TimeoutError if the reader takes nothing."""

    def __init__(self, leave: Leave, release: Release, visit: Visit) -> None:
        self._leave, self._release, self._visit = leave, release, visit
        self._begun = False
        self._clock = asyncio.get_running_loop().time
        self._beat = self._clock()

    async def opened(self) -> None:
        """The head of the stream, and a first sign of life."""
        self._begun = True
        await self._sent(self._release.opening(self._visit), head=True)
        await self._sent(bare(BEAT))

    async def told(self, sent: Sent) -> None:
        """One execution result. JSON has no line ends of its own."""
        sent.body = b"event: next\ndata: " + sent.body + b"\n\n"
        await self._sent(sent)

    async def idle(self) -> None:
        """A sign of life, if the last is 12 seconds old."""
        if self._clock() - self._beat >= BEAT_S:
            await self._sent(bare(BEAT))

    async def ended(self, sent: Sent, *, stranger: bool) -> None:
        """The last result, as a part of the stream if there is one, or if a reader needs it."""
        if not self._begun and sent.status == WRONG:
            await self.opened()
        if not self._begun:
            await self._sent(sent, head=True, more=False)
            return
        await self.told(sent)
        await self._sent(bare(COMPLETE), more=False)

    async def stopped(self) -> None:
        """The hub stops: the stream is cut without ``complete``, so that the client comes again."""
        if self._begun:
            await self._sent(bare(b""), more=False)

    async def _sent(self, sent: Sent, *, head: bool = False, more: bool = True) -> None:
        self._beat = self._clock()
        async with asyncio.timeout(SEND_S):
            await self._leave(sent, head, more)


async def _run(
    subscription: Subscription, known: Known, events: Events, leaving: Awaitable[str]
) -> None:
    running = asyncio.ensure_future(subscription.run(known, events))
    waiting = asyncio.ensure_future(leaving)
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        subscription.reason = waiting.result() if waiting.done() else GONE
    finally:
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    if not running.cancelled():
        with contextlib.suppress(OSError):  # the client has gone, or took nothing (TimeoutError)
            running.result()
    if subscription.reason == STOPPED:
        await events.stopped()


async def left(receive: Receive, stop: asyncio.Event) -> str:
    """Return when the client has gone, or STOPPED when the server is told to stop."""
    waiting = {asyncio.ensure_future(_gone(receive)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return STOPPED if stop.is_set() else GONE


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
