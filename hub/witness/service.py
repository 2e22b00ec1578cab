"""The witness over HTTP: c2sp.org/tlog-witness, and the newest checkpoints for whoever looks.

    POST /add-checkpoint         a log submits; statuses are those of the specification
    GET  /checkpoint/ORIGIN      the newest checkpoint signed of a log, with all signatures
    GET  /healthz                the process answers

Nobody signs in: what counts is the log's signature. Nothing here is secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from audit.witness import BODY_BYTES, SIZE_TYPE, Answer, Logs, Refused, Submission, recognised
from hub.witness.record import Record, Reply

READ_S = 10.0  # a body of 70 kB that takes longer is not a log's
SAID = {
    Answer.MALFORMED: "malformed request",
    Answer.NOT_SIGNED: "no signature by a known key of this log",
    Answer.UNKNOWN_LOG: "unknown log",
    Answer.NOT_PROVED: "the consistency proof does not verify",
}
_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_log = structlog.get_logger("hub.witness")


class TooLong(Exception):
    """A body above BODY_BYTES."""


def create_app(record: Record, logs: Logs) -> ASGIApp:
    """The ASGI application; closes `record` at its end."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(READ_S):
                submission = Submission.parse(await _body(request))
            checkpoint, note = recognised(submission, logs)
            return _told(await record.add(submission, checkpoint, note))
        except Refused as refused:
            return _text(f"{SAID[refused.answer]}\n", refused.answer)
        except TooLong:
            return _text("the request is too long\n", 413)
        except (TimeoutError, ClientDisconnect):
            return _text("the request did not arrive\n", 408)
        except sqlite3.Error as error:
            _log.error("the file does not take it", exception=type(error).__name__)
            return _text("try again later\n", 503)

    async def checkpoint(request: Request) -> Response:
        try:
            note = await record.newest(request.path_params["origin"])
        except sqlite3.Error:
            return _text("try again later\n", 503)
        return _text("no checkpoint\n", 404) if note is None else _text(note)

    async def healthz(_request: Request) -> Response:
        return _text("ok\n")

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await record.close()

    app = Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/checkpoint/{origin:path}", checkpoint, methods=["GET"]),
            Route("/healthz", healthz, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _body(request: Request) -> bytes:
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > BODY_BYTES:
            raise TooLong
    return bytes(whole)


def _told(reply: Reply) -> Response:
    if reply.answer is Answer.COSIGNED:
        return _text(reply.lines)
    if reply.answer is Answer.CONFLICT:
        return _sized(reply.size)
    return _text(f"{SAID[reply.answer]}\n", reply.answer)


def _sized(size: int) -> Response:
    response = Response(f"{size}\n", Answer.CONFLICT, _NO_STORE)
    response.headers["content-type"] = SIZE_TYPE  # exactly this: no charset
    return response


def _text(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status, _NO_STORE)
