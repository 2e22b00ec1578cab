"""Who asks: verified token + headers -> Asker. Anonymous is refused before anything is read.

Posts come from the store, so that a transfer or a suspension counts on the next request; they
are kept for at most a second. A case number narrows the rights to that case's household, and
only if the case is the asker's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic
from zoneinfo import ZoneInfo

from cachetools import TTLCache
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.book import PolicyBook
from authz.gate import Gate
from authz.post import Asker
from catalog.errors import Forbidden, SourceUnavailable, Unauthenticated
from catalog.load import Catalog
from hub.identity import Claims, Tokens, bearer, purpose
from hub.release import Visit
from store.accounts import HeldPost, posts_of
from store.cases import case_file

POSTS_S = 1.0  # how long posts may be remembered (authorisation 6)
POSTS_KEPT = 4_096
CASE_HEADER = "x-case-no"
_CASE_NO = re.compile(r"[A-Z0-9][A-Z0-9-]{3,31}\Z")
_ZONE = ZoneInfo("Asia/Shanghai")


class Askers:
    """Makes Askers; one per worker."""

    def __init__(self, engine: AsyncEngine, tokens: Tokens, catalog: Catalog) -> None:
        self._engine, self._tokens, self._catalog = engine, tokens, catalog
        self._posts: TTLCache[str, list[HeldPost]] = TTLCache(
            POSTS_KEPT, ttl=POSTS_S, timer=monotonic
        )

    def claims(self, headers: Mapping[str, str]) -> Claims:
        """The verified token's claims. Unauthenticated if there is none that holds."""
        return self._tokens.verify(bearer(headers.get("authorization")))

    async def asker(
        self, claims: Claims, headers: Mapping[str, str], book: PolicyBook, request_id: str
    ) -> Asker:
        """The asker of one request, not yet bound to a case. PurposeRequired, Unauthenticated."""
        why = purpose(headers, claims, self._catalog.purposes)
        return await self._known(claims, why, book, request_id)

    async def narrowed(self, asker: Asker, headers: Mapping[str, str], book: PolicyBook) -> Asker:
        """The asker bound to the case of ``X-Case-No``, if it is given. Forbidden CASE."""
        case_no = headers.get(CASE_HEADER, "").strip()
        return await self._narrowed(asker, case_no, book) if case_no else asker

    def visit_of(self, claims: Claims, visit: Visit) -> Visit:
        """The visit of an account whose request was refused before its purpose was known."""
        nobody = Asker(claims.sub, "official", (), "", datetime.now(_ZONE).date(), visit.request_id)
        return Visit(visit.request_id, "", visit.ip, nobody)

    async def _known(self, claims: Claims, why: str, book: PolicyBook, request_id: str) -> Asker:
        held = await self._held(claims.sub)
        if not held:
            raise Unauthenticated("账号未启用、已停用或没有岗位", reason="TOKEN_INVALID")
        return Asker(
            principal_id=claims.sub,
            kind="official",
            posts=tuple(book.post(p.dept, p.role, p.region_path) for p in held),
            purpose=why,
            day=datetime.now(_ZONE).date(),
            request_id=request_id,
        )

    async def _held(self, principal_id: str) -> list[HeldPost]:
        found = self._posts.get(principal_id)
        if found is None:
            try:
                async with self._engine.connect() as connection:
                    today = datetime.now(_ZONE).date()
                    found = await posts_of(connection, principal_id, today)
            except (SQLAlchemyError, OSError):
                raise SourceUnavailable("账号库暂时不可用", reason="DOWN", source="hub") from None
            self._posts[principal_id] = found
        return found

    async def _narrowed(self, asker: Asker, case_no: str, book: PolicyBook) -> Asker:
        """The asker bound to one case's household; the same refusal for any other number."""
        row = await self._case(case_no) if _CASE_NO.match(case_no) else None
        if row is None:
            raise _no_case()
        region, owner, household = row
        gate = Gate(book, asker, self._catalog)
        if household is None or not gate.demand("Case.basic", "read", region, owner).allowed:
            raise _no_case()
        return replace(asker, case_no=case_no, bound=household)

    async def _case(self, case_no: str) -> tuple[str, str, str | None] | None:
        wanted = select(
            case_file.c.region_path, case_file.c.handling_dept, case_file.c.household_id
        ).where(case_file.c.case_no == case_no)
        try:
            async with self._engine.connect() as connection:
                row = (await connection.execute(wanted)).first()
        except (SQLAlchemyError, OSError):
            raise SourceUnavailable("诉求件库暂时不可用", reason="DOWN", source="hub") from None
        return None if row is None else (row[0], row[1], row[2])


def _no_case() -> Forbidden:
    return Forbidden("X-Case-No 所指的诉求件不存在，或不在您的职责内", reason="CASE")
