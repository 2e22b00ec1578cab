"""GraphQL over a WebSocket: the protocol ``graphql-transport-ws`` and no other.

    connection_init ──► connection_ack          who asks, what for: told once, looked at always
    subscribe ──► next … ──► complete | error   a query, or a subscription (`stream.py`)
    ping ◄──► pong, complete, and nothing else

Every operation is a Passage of its own, with its own name, record and rights of its moment. What
a client does against the protocol closes the line with a code of 44xx; no bytes of his make an
error of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.types import Message, Receive, Scope, Send

from catalog.errors import BadRequest, HubError, RateLimited, SourceUnavailable, Unauthenticated
from hub import limits
from hub.edge import declared
from hub.edge.decoding import object_of, params_of
from hub.edge.endpoint import address_of
from hub.edge.passage import Passage, question_of
from hub.edge.seats import Seats
from hub.edge.stream import COMPLETED, Subscription
from hub.edge.unbroken import unbroken
from hub.identity.asking import Headers, Known
from hub.release import Sent, Visit
from hub.telemetry.spans import SpanName, trace_id
from hub.worker import Hub
from resolvers.answer import Question

PROTOCOL = "graphql-transport-ws"
BAD_MESSAGE, TOO_EARLY, REFUSED, NO_PROTOCOL = 4400, 4401, 4403, 4406
NO_INIT, ID_IN_USE, SECOND_INIT = 4408, 4409, 4429
BROKEN, TOO_BIG = 1011, 1009
INIT = {
    "authorization": b"authorization",
    "purpose": b"x-purpose",
    "caseNo": b"x-case-no",
    "endUser": b"x-end-user",
}
"""Members of the payload of ``connection_init`` -> the header that says the same."""

PAGES = {"ws": ("http", "https"), "wss": ("https",)}
"""Schemes of a line -> of our own pages that may open it; a proxy may end TLS and not say so."""
EARLY = {
    BAD_MESSAGE: "BAD_REQUEST",
    TOO_EARLY: "UNAUTHENTICATED",
    NO_INIT: "INIT_TIMEOUT",
    TOO_BIG: "PAYLOAD_TOO_LARGE",
}
"""Codes of a line that is closed before anybody is known -> why a stranger is counted."""

_log = structlog.get_logger("hub.websocket")


class WebSocket:
    """``/graphql`` as a WebSocket; one per worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.seats = Seats(limits.CONNECTIONS_A_PRINCIPAL, "WebSocket 连接")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))  # of a header sent twice, the first counts
        await receive()  # websocket.connect
        if is_foreign(headers, scope.get("scheme", "ws"), self._hub.settings.cors_origins):
            _turned_away(self._hub, address_of(scope), "ORIGIN")
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        with contextlib.suppress(OSError):  # the client has gone
            if PROTOCOL not in scope["subprotocols"]:
                _turned_away(self._hub, address_of(scope), "PROTOCOL")
                await send({"type": "websocket.accept"})
                await send(_closing(NO_PROTOCOL, "Subprotocol not acceptable"))
                return
            await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
            session = _Session(self._hub, self.seats, headers, address_of(scope), receive, send)
            await session.run()


def is_foreign(headers: Headers, scheme: str, allowed: tuple[str, ...]) -> bool:
    """Does a page of another site ask? Programs send no Origin; pages cannot leave it out.

    `scheme` of the line: a page that came in clear may be anybody's and opens no encrypted one.
    """
    origin = headers.get(b"origin")
    if origin is None:
        return False
    text = origin.decode("latin-1").lower()
    try:
        page = urlsplit(text)
    except ValueError:
        return True
    own = page.netloc.encode("latin-1") == headers.get(b"host", b"").lower()
    return not (own and page.scheme in PAGES.get(scheme, ())) and text not in allowed


class _Close(Exception):
    """The line is to be closed with this code; the reason is a fixed text."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Gone(Exception):
    """The client has left, or takes nothing any more."""


class _Session:
    """One line: who asks, and what of his is under way."""

    def __init__(
        self, hub: Hub, seats: Seats, headers: Headers, ip: str, receive: Receive, send: Send
    ) -> None:
        self._hub, self._seats, self._ip = hub, seats, ip
        self._headers = dict(headers)
        self._receive, self._send = receive, send
        self._acknowledged = False
        self._running: dict[str, _Operation] = {}
        self._alive: set[asyncio.Task[None]] = set()  # those given up, too, until their records
        self._closed = False
        self._sending = asyncio.Lock()
        self._held = ExitStack()
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()

    async def run(self) -> None:
        """Until either side ends it; then nothing of it is left."""
        closing: _Close | None = None
        with self._held:
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    tended = self._until_closed(self._tend)
                    group.create_task(tended, name="websocket-tended")
                    await self._until_closed(self._read)
            except* (_Gone, OSError):
                pass
            except* _Close as errors:
                closing = next(e for e in _leaves(errors) if isinstance(e, _Close))
            except* Exception as errors:  # an error of ours; its text may hold anything
                names = sorted({type(e).__name__ for e in _leaves(errors)})
                _log.error("internal error", exception=names)
                closing = _Close(BROKEN, "Internal error")
        if closing is not None:
            await self._close(closing)

    async def _until_closed(self, work: Callable[[], Awaitable[None]]) -> None:
        """A part of the line. What closes it is said at once: the end waits for records."""
        try:
            await work()
        except _Close as closing:
            await self._close(closing)
            raise

    async def _close(self, closing: _Close) -> None:
        with contextlib.suppress(TimeoutError):  # it takes nothing: cut by the server
            async with asyncio.timeout(limits.SEND_S), self._sending:
                if not self._closed:
                    self._closed = True
                    if not self._acknowledged and closing.code in EARLY:
                        _turned_away(self._hub, self._ip, EARLY[closing.code])
                    await self._send(_closing(closing.code, closing.reason))

    # -- what comes

    async def _read(self) -> None:
        handlers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "connection_init": self._init,
            "subscribe": self._subscribe,
            "complete": self._complete,
            "ping": self._ping,
            "pong": _nothing,
        }
        while True:
            message = _decoded(self._bounded(await self._next()))
            handle = handlers.get(_text(message, "type"))
            if handle is None:
                raise _Close(BAD_MESSAGE, "Unknown message type")
            await handle(message)

    async def _next(self) -> Message:
        left = None if self._acknowledged else self._since + limits.INIT_S - self._clock()
        try:
            async with asyncio.timeout(left):
                message = await self._receive()
        except TimeoutError:
            raise _Close(NO_INIT, "Connection initialisation timeout") from None
        if message["type"] == "websocket.disconnect":
            raise _Gone
        return message

    def _bounded(self, message: Message) -> Message:
        """Nobody is known yet: not much of him is read."""
        text = message.get("text") or ""
        if not self._acknowledged and len(text.encode()) > limits.INIT_BYTES:
            raise _Close(TOO_BIG, "Message too big")
        return message

    async def _init(self, message: Mapping[str, Any]) -> None:
        if self._acknowledged:
            raise _Close(SECOND_INIT, "Too many initialisation requests")
        payload = _identity(message.get("payload"))
        self._headers = payload | self._headers
        with self._hub.telemetry.span(SpanName.QUERY, traceparent="") as span:
            passage = Passage(self._hub, self._headers, Visit(trace_id(span), ip=self._ip))
            try:
                _demand_agreement(self._headers, payload)
                known = await passage.know()
                self._held.enter_context(self._seats.taken(known.gate.asker.principal_id))
            except Exception as error:
                await passage.refuse(error)
                code = error.code if isinstance(error, HubError) else "INTERNAL"
                raise _Close(REFUSED, code) from None
        self._acknowledged = True
        await self.write({"type": "connection_ack"})

    async def _subscribe(self, message: Mapping[str, Any]) -> None:
        self._demand_acknowledged()
        id_, payload = _id(message), message.get("payload")
        if not isinstance(payload, Mapping):
            raise _Close(BAD_MESSAGE, "Invalid message")
        try:
            params = params_of(payload)
        except BadRequest:
            raise _Close(BAD_MESSAGE, "Invalid message") from None
        if id_ in self._running:
            raise _Close(ID_IN_USE, "Subscriber already exists")
        question = question_of(params)
        operation = _Operation(self, self._hub, id_, self._headers, self._ip)
        if self._is_full():
            await operation.refused(_too_many())  # awaited: a flood waits for its refusals
            return
        self._running[id_] = operation
        running = self._until_closed(partial(self._run, operation, question))
        operation.task = task = self._group.create_task(running, name="operation")
        self._alive.add(task)
        task.add_done_callback(self._alive.discard)

    def _is_full(self) -> bool:
        """A page that changes gives all up and asks anew; for a moment both are there."""
        most = limits.OPERATIONS_A_CONNECTION
        return len(self._running) >= most or len(self._alive) >= 2 * most

    async def _run(self, operation: _Operation, question: Question) -> None:
        try:
            await operation.run(question)
        finally:
            if self._running.get(operation.id) is operation:
                del self._running[operation.id]

    async def _complete(self, message: Mapping[str, Any]) -> None:
        id_ = _id(message)
        self._demand_acknowledged()
        operation = self._running.pop(id_, None)
        if operation is not None:
            operation.complete()

    def _demand_acknowledged(self) -> None:
        """Pings apart, nothing is taken before it is known who asks."""
        if not self._acknowledged:
            raise _Close(TOO_EARLY, "Unauthorized")

    async def _ping(self, _message: Mapping[str, Any]) -> None:
        await self.write({"type": "pong"})

    # -- what goes

    async def write(self, message: Mapping[str, Any]) -> None:
        """One message of ours."""
        await self.text(orjson.dumps(message))

    async def text(self, body: bytes) -> None:
        """The same, written already. Ends the line of a client that takes nothing."""
        try:
            async with asyncio.timeout(limits.SEND_S), self._sending:
                if self._closed:
                    raise _Gone
                await self._send({"type": "websocket.send", "text": body.decode()})
        except TimeoutError:
            _log.info("a reader takes nothing: closed")
            raise _Gone from None

    async def _tend(self) -> None:
        """Ask now and then whether somebody is there, and whether his token still holds."""
        pinged = self._since
        while True:
            await asyncio.sleep(limits.RIGHTS_S)
            if not self._acknowledged:
                continue
            try:
                await self._hub.askers.claims(self._headers)
            except Unauthenticated:
                if not self._running:  # else each of them says so, with its record
                    raise _Close(REFUSED, Unauthenticated.code) from None
            except SourceUnavailable:
                pass  # nobody can say: the next event will
            if self._clock() - pinged >= limits.PING_S:
                pinged = self._clock()
                await self.write({"type": "ping"})


@dataclass(frozen=True, slots=True)
class _Made:
    """An answer or a refusal; of a `stranger`, who may ask nothing at all."""

    sent: Sent
    stranger: bool = False


class _Operation:
    """One operation of a line; the Carrier of its frames."""

    def __init__(self, session: _Session, hub: Hub, id_: str, headers: Headers, ip: str) -> None:
        self._session, self._hub, self.id = session, hub, id_
        self._headers, self._ip = headers, ip
        self._subscription: Subscription | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self, question: Question) -> None:
        """Answer it, whatever it is. A query that has begun goes on to its record."""
        hub = self._hub
        with hub.telemetry.span(SpanName.QUERY, traceparent="") as span:
            passage = Passage(hub, self._headers, Visit(trace_id(span), ip=self._ip))
            begun = self._begun(passage, question)
            made = await unbroken(begun, hub.settings.deadline_s)
            if isinstance(made, _Made):
                await self._said(made)
                return
            question, known = made
            with hub.telemetry.span(SpanName.SUBSCRIPTION):
                self._subscription = Subscription(hub, passage, question)
                await self._subscription.run(known, self)

    async def _begun(self, passage: Passage, question: Question) -> _Made | tuple[Question, Known]:
        """What there is to say, recorded; or the subscription that may begin, and whose."""
        try:
            known = await passage.admit()
        except Exception as error:
            stranger = isinstance(error, HubError) and error.status in (401, 403)
            return _Made(await passage.refuse(error), stranger)
        try:
            question = await passage.settled(question, known)
            if await self._hub.engine.subscribes(question):
                return question, known
            return _Made(await passage.answer(question, known))
        except Exception as error:
            return _Made(await passage.refuse(error))

    async def _said(self, made: _Made) -> None:
        if not made.sent.answered:
            await self.ended(made.sent, stranger=made.stranger)
            return
        await self.told(made.sent)
        await self._session.write({"id": self.id, "type": "complete"})

    async def refused(self, error: HubError) -> None:
        """It is not begun; recorded like any refusal."""
        with self._hub.telemetry.span(SpanName.QUERY, traceparent="") as span:
            passage = Passage(self._hub, self._headers, Visit(trace_id(span), ip=self._ip))
            refused = unbroken(passage.refuse(error), self._hub.settings.deadline_s)
            await self.ended(await refused, stranger=False)

    def complete(self) -> None:
        """The client wants no more of it."""
        if self._subscription is not None:
            self._subscription.reason = COMPLETED
        if self.task is not None:
            self.task.cancel()

    # -- the Carrier

    async def opened(self) -> None:
        """The protocol has no word for it."""

    async def idle(self) -> None:
        """The line is kept alive by its own pings."""

    async def told(self, sent: Sent) -> None:
        """``next``: the answer goes in as it is."""
        head = b'{"id":' + orjson.dumps(self.id) + b',"type":"next","payload":'
        await self._session.text(head + sent.body + b"}")

    async def ended(self, sent: Sent, *, stranger: bool) -> None:
        """``error``; a stranger's line is closed."""
        errors = orjson.loads(sent.body)["errors"]
        await self._session.write({"id": self.id, "type": "error", "payload": errors})
        if stranger:
            raise _Close(REFUSED, str(errors[0]["extensions"]["code"]))


def _decoded(message: Message) -> Mapping[str, Any]:
    text = message.get("text")
    if text is None:
        raise _Close(BAD_MESSAGE, "Only text messages")
    try:
        return object_of(text)
    except BadRequest:
        raise _Close(BAD_MESSAGE, "Invalid message") from None


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _id(message: Mapping[str, Any]) -> str:
    value = _text(message, "id")
    if not 0 < len(value) <= limits.OPERATION_ID:
        raise _Close(BAD_MESSAGE, "Invalid message")
    return value


def _identity(payload: object) -> dict[bytes, bytes]:
    """What ``connection_init`` says of who asks, as headers."""
    if payload is None:
        return {}
    if not isinstance(payload, Mapping):
        raise _Close(BAD_MESSAGE, "Invalid message")
    given = {header: payload.get(name) for name, header in INIT.items()}
    if not all(value is None or isinstance(value, str) for value in given.values()):
        raise _Close(BAD_MESSAGE, "Invalid message")
    return {header: value.encode() for header, value in given.items() if value is not None}


def _turned_away(hub: Hub, ip: str, reason: str) -> None:
    """A stranger is counted, whatever he wanted (audit 1.4)."""
    hub.rejects.add(ip, reason)
    hub.telemetry.metrics.stranger(reason)


def _demand_agreement(headers: Headers, payload: Headers) -> None:
    """What the handshake has said, a page's payload does not say otherwise. BadRequest HEADER.

    Neither may it take a narrowing back by saying nothing of it.
    """
    said = declared.plain(headers)
    if any(said[name] != value for name, value in payload.items()):
        raise BadRequest(
            "connection_init 与握手的请求头取值不同：请只在一处说明",
            reason="HEADER",
            english="connection_init and the headers of the handshake say different things",
        )


async def _nothing(_message: Mapping[str, Any]) -> None:
    return None


def _too_many() -> RateLimited:
    return RateLimited(
        f"操作过多：每个连接同时最多 {limits.OPERATIONS_A_CONNECTION} 个，请先结束不用的",
        reason="CONCURRENCY",
    )


def _closing(code: int, reason: str) -> Message:
    return {"type": "websocket.close", "code": code, "reason": reason}


def _leaves(error: BaseExceptionGroup[Any]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in error.exceptions:
        found += _leaves(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found
