"""GET /schema.graphql: the contract as SDL, for who may read `Schema.sdl`.

The same door as a question's: token, purpose, right, record, bytes. It names fields and rights, no
person, so it may be kept by who got it; whether he still may read it is seen each time (`ETag`).
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256

from starlette.types import Receive, Scope

from audit.record import Outcome
from catalog.errors import MethodNotAllowed
from hub.edge.face import Face
from hub.edge.flat import matches
from hub.edge.passage import Passage
from hub.identity.asking import Headers
from hub.release import Sent, Visit
from hub.telemetry.spans import SpanName
from resolvers.answer import demand_contract
from schema.build import sdl

CONTRACT = "/schema.graphql"


class Contract(Face):
    """Hands the SDL out; one per worker."""

    @cached_property
    def _text(self) -> tuple[bytes, str]:
        """The SDL and its sha256; printed when the first asks."""
        body = sdl(self._hub.engine.bindings).encode()
        return body, sha256(body).hexdigest()

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        """The text, or that it is still the one he has."""
        passage = Passage(self._hub, headers, visit)
        try:
            if scope["method"] != "GET":
                raise MethodNotAllowed("请用 GET 读取接口定义", allow="GET", english="use GET")
            known = await passage.admit()
            demand_contract(known.gate)
            body, digest = self._text
            asked = headers.get(b"if-none-match", b"").decode("latin-1")
            known_already = matches(asked, f'"{digest}"')
            with self._hub.telemetry.span(SpanName.AUDIT):
                sent = await self._hub.release.contract(
                    digest, None if known_already else body, passage.visit
                )
            return passage.ended(sent, Outcome.FAILED if sent.code else Outcome.OK)
        except Exception as error:
            return await passage.refuse(error)
