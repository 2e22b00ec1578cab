"""From an answer to a print: number, code, digest, record and row in one transaction.

    answer ──► number of the year ──► digest ──► READ record that names both ──► row ──► COMMIT

All of it is there before the page leaves, or nothing is: the record says what was printed, the
row where the record stands.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.batch import now_us
from audit.keyring import day_of
from audit.record import Receipt
from authz.post import Post
from catalog.divisions import COUNTY
from catalog.errors import AuditUnavailable, Internal, SourceUnavailable
from catalog.load import Catalog
from hub.printing.code import new_code
from hub.printing.content import Content, canonical, content_of, record_of
from hub.printing.kinds import KINDS, Kind
from hub.printing.verifying import genuine
from hub.release import Paper, Release, Visit
from resolvers.answer import Answer
from resolvers.document import Documents
from store.prints import NUMBER, Printed, by_number, keep, next_number, sha256_of

VERIFY = "/verify"
_log = structlog.get_logger("hub.printing.making")


@dataclass(frozen=True, slots=True)
class Made:
    """A print that is in the store, and the receipt of its record."""

    printed: Printed
    receipt: Receipt


class Prints:
    """Makes and finds prints; one per worker, without a state of its own.

    `url`: where citizens reach this hub, for the paper; None if they do not. `sandbox`: its people
    are invented, and each paper says so. `clock` gives µs UTC, `code` a check code. `documents` is
    asked for every document of ours, so that a kind whose document does not fit the schema ends
    the start. HubError.
    """

    def __init__(
        self,
        store: AsyncEngine,
        catalog: Catalog,
        release: Release,
        documents: Documents,
        *,
        url: str | None,
        wait_s: float,
        sandbox: bool,
        kinds: Mapping[str, Kind] = KINDS,
        clock: Callable[[], int] = now_us,
        code: Callable[[], str] = new_code,
    ) -> None:
        self._store, self._catalog, self._release = store, catalog, release
        self._url, self._wait_s, self._clock, self._code = url, wait_s, clock, code
        self._sandbox = sandbox
        self.kinds = kinds
        for kind in kinds.values():
            documents.get(kind.text)

    async def make(self, kind: Kind, answer: Answer, visit: Visit) -> Made:
        """The print of an answer whose root is there, recorded and kept.

        AuditUnavailable if either cannot be done: then there is no print, and nothing is shown.
        """
        content = self.content(answer)
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._kept(kind, content, answer, visit)
        except (SQLAlchemyError, OSError):  # TimeoutError is an OSError
            said = "打印件未能及时留存，暂不提供：请稍后再试"
            raise AuditUnavailable(said, reason="WRITE") from None

    async def find(self, number: str) -> Printed | None:
        """The stored print; None for a number nobody has. SourceUnavailable, Internal."""
        if not NUMBER.match(number):
            return None
        try:
            async with asyncio.timeout(self._wait_s), self._store.connect() as connection:
                printed = await by_number(connection, number)
                sound = printed is None or await genuine(connection, printed)
        except (SQLAlchemyError, OSError):
            raise store_down() from None
        if not sound:
            # Its number names a paper, no person.
            _log.error("print changed past its triggers", number=number)
            raise Internal("打印件与其摘要或访问记录不符，已停止提供：请告知运维与审计员")
        return printed

    def content(self, answer: Answer) -> Content:
        """What a print of this answer would hold."""
        return content_of(answer, self._catalog, sandbox=self._sandbox)

    async def _kept(self, kind: Kind, content: Content, answer: Answer, visit: Visit) -> Made:
        row, asker = record_of(content), visit.asker
        assert row is not None  # noqa: S101  the caller has seen it
        assert asker is not None  # noqa: S101  he was admitted
        post, text, code, at = asker.posts[0], canonical(content), self._code(), self._clock()
        async with self._store.begin() as connection:
            number = await next_number(connection, day_of(at).year)
            digest = sha256_of(number, code, kind.template, at, text)
            visit.paper = Paper(number, digest)
            receipt = await self._release.printed(answer, visit, connection)
            printed = Printed(
                number=number,
                code=code,
                kind=kind.name,
                subject=row["id"],
                template=kind.template,
                content=text,
                sha256=digest,
                printed_at=at,
                account=asker.principal_id,
                dept=post.dept,
                role=post.role,
                area=post.base,
                issuer=self._issuer(post),
                address=self._address(code),
                audit_idx=receipt.idx,
            )
            await keep(connection, printed)
        return Made(printed, receipt)

    def _issuer(self, post: Post) -> str:
        """The office of a post in words: its department, and its place below the county."""
        title = self._catalog.departments[post.dept].title
        if post.base == COUNTY:
            return title
        return f"{title}（{self._catalog.divisions.by_path[post.base].name}）"

    def _address(self, code: str) -> str:
        return "" if self._url is None else f"{self._url.rstrip('/')}{VERIFY}/{code}"


def content_in(printed: Printed) -> Content:
    """The content of a stored print."""
    found: Content = json.loads(printed.content)
    return found


def store_down() -> SourceUnavailable:
    """The store does not say what was printed."""
    return SourceUnavailable("打印件暂时无法核对，请稍后再试", reason="DOWN", source="hub")
