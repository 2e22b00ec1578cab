"""/verify/{code}: is this paper genuine? For everybody, without an account.

    GET  /verify/{code}                    kind, number, date, office, digest; or not genuine
    POST /verify/{code}  sha256=…          the same, if the digest on the paper is the print's, too

As JSON, or as a page for a browser. Unknown, malformed and altered codes, a digest that does not
fit and a row that was changed have one and the same answer, found by the same look-up. No name,
no content: whoever holds the paper can read it. What is genuine leaves no record, since nobody is
told of in it; what is not is counted with the strangers (`rejects.py`). Few are looked up at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from urllib.parse import parse_qsl

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope

from catalog.errors import BadRequest, MethodNotAllowed, RateLimited
from hub.edge import decoding
from hub.edge.body import body_of
from hub.edge.face import Face
from hub.edge.flat import FLAT
from hub.edge.passage import Passage
from hub.identity.asking import Headers, text_of
from hub.printing.code import grouped
from hub.printing.making import store_down
from hub.printing.page import DIGEST_GROUP, rendered
from hub.printing.verifying import Verdict, verified
from hub.release import Sent, Visit
from hub.worker import Hub

GET, POST = "GET", "POST"
AT_ONCE, WAITING = 2, 32  # look-ups, and strangers who wait for one: a county hands out few papers
FORM = "application/x-www-form-urlencoded"
NOT_GENUINE = "PRINT_NOT_GENUINE"  # how it is counted


class Verifying(Face):
    """Answers whoever holds a paper; one per worker."""

    methods = b"GET, POST"

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self.turns, self._waiting = asyncio.Semaphore(AT_ONCE), 0

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        """The verdict."""
        try:
            sha256 = None
            if scope["method"] == POST:
                body = await body_of(receive, self._hub.settings.deadline_s)
                sha256 = _digest(text_of(headers, b"content-type") or "", body)
            elif scope["method"] != GET:
                raise MethodNotAllowed(
                    "核验请用 GET 或 POST", allow=f"{GET}, {POST}", english="use GET or POST"
                )
            verdict = await self._in_turn(scope["path_params"]["code"], sha256)
        except Exception as error:
            said = Passage(self._hub, headers, visit).said(error)
            self._counted(visit, said.reason or said.code)
            return self._hub.release.unrecorded(said, visit, FLAT)
        if not verdict.genuine:
            self._counted(visit, NOT_GENUINE)
        return self._sent(verdict, headers, visit)

    async def _in_turn(self, code: str, sha256: str | None) -> Verdict:
        if self._waiting >= WAITING:
            raise RateLimited("核验的人过多，请稍后再试", reason="CONCURRENCY", retryAfter=1)
        self._waiting += 1
        try:
            async with (
                self.turns,
                asyncio.timeout(self._hub.settings.audit_wait_s),
                self._hub.store.connect() as connection,
            ):
                return await verified(connection, code, sha256)
        except (SQLAlchemyError, OSError):  # TimeoutError is an OSError
            raise store_down() from None
        finally:
            self._waiting -= 1

    def _counted(self, visit: Visit, reason: str) -> None:
        self._hub.rejects.add(visit.ip, reason)
        self._hub.telemetry.metrics.stranger(reason)

    def _sent(self, verdict: Verdict, headers: Headers, visit: Visit) -> Sent:
        if "text/html" not in (text_of(headers, b"accept") or "").lower():
            named = ((b"x-request-id", visit.request_id.encode()), *visit.told)
            return self._hub.release.plain(200, asdict(verdict), *named)
        digest = grouped(verdict.sha256 or "", DIGEST_GROUP)
        page = rendered("verdict", "verdict", verdict=verdict, digest=digest)
        return self._hub.release.page(page, visit, None)


def _digest(kind: str, body: bytes) -> str:
    """The digest of a form or of a JSON object, as it was typed. BadRequest, BadUserInput."""
    if kind.partition(";")[0].strip().lower() == FORM:
        try:
            given = dict(parse_qsl(body.decode("ascii"), max_num_fields=1, errors="strict"))
        except ValueError:
            given = {}
    else:
        decoding.check_content_type(kind, None)
        given = dict(decoding.decode_object(body))
    sha256 = given.get("sha256")
    if set(given) != {"sha256"} or not isinstance(sha256, str):
        raise BadRequest("请求体须只含内容摘要 `sha256`", reason="SHAPE", english="send sha256")
    return sha256
