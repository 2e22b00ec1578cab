"""Trusted documents (受信查询) on the road: which text an id stands for, and who may send text.

    asked by id   ──► the client's own approved document, or DOCUMENT_UNKNOWN
    asked by text ──► open: as it is · log: told · enforce: only if it is such a document's text

A safelist, not a cache: a text that is sent registers nothing. Each worker keeps a client's
documents as they were at a version of the policy; approving and retiring make a new version, so
that whoever hears of a right that ended (`authz/keeper.py`) hears of a document that ended, as
soon, and a question asked again costs no statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from weakref import WeakValueDictionary

import structlog
from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.post import Asker
from catalog.errors import (
    BadRequest,
    DocumentNotTrusted,
    DocumentUnknown,
    NotFound,
    SourceUnavailable,
)
from catalog.standing import Standing
from hub.edge.decoding import SHA256
from hub.identity.asking import Known
from hub.settings import Settings
from resolvers.answer import Question
from resolvers.examination import Examiner
from store.documents import (
    APPROVED,
    RETIRED,
    Registered,
    read_aliases,
    read_documents,
    sha256_of,
)

CLIENTS = 256  # whose documents a worker keeps; a county's systems and frontends are some dozens
_log = structlog.get_logger("hub.edge.trusted")


class Mode(StrEnum):
    """What is done with a text that is no approved document's."""

    OPEN = "open"
    LOG = "log"
    ENFORCE = "enforce"


FREE_ROLES = frozenset({"lab", "secadmin", "auditor"})
"""Posts that may always send text: tests, and officers who look into what has happened."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A question with its text. `free`: a text nobody has approved, which is told in the record."""

    question: Question
    trusted: Registered | None = None
    free: bool = False


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A client's documents as they were at `version` of the policy or later."""

    version: int
    by_hash: Mapping[str, Registered] = field(repr=False)
    by_alias: Mapping[str, str] = field(repr=False)
    by_name: Mapping[tuple[str, int], Registered] = field(repr=False)

    def of(self, document: str) -> Registered | None:
        """The document of an id: the digest of its text, or an id of the client's own."""
        if document.startswith(SHA256):
            return self.by_hash.get(document.removeprefix(SHA256))
        return self.by_hash.get(self.by_alias.get(document, ""))


class TrustedDocuments:
    """One per worker. `examiner` says what a document could read."""

    def __init__(self, engine: AsyncEngine, settings: Settings, examiner: Examiner) -> None:
        self._engine, self.examiner = engine, examiner
        self._modes = {
            Standing.PERSON: Mode(settings.documents_person),
            Standing.SYSTEM: Mode(settings.documents_system),
            Standing.GATEWAY: Mode(settings.documents_gateway),
        }
        self._shelves: LRUCache[str, _Shelf] = LRUCache(CLIENTS)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def mode(self, asker: Asker) -> Mode:
        """What is done with a text of this asker's own."""
        if any(post.role in FREE_ROLES for post in asker.posts):
            return Mode.OPEN
        return self._modes[asker.standing]

    async def settle(self, question: Question, known: Known) -> Settled:
        """The question with its text, if it may be asked in this way.

        DocumentUnknown for an id this client has not, DocumentNotTrusted for a document that is
        not approved or a text under ``enforce``, BadRequest SHAPE for a text that is another
        document's, SourceUnavailable if the store does not say.
        """
        if question.document is None:
            return await self._free(question, known)
        found = (await self._shelf(known)).of(question.document)
        if found is None:
            raise DocumentUnknown("没有此标识的受信查询：请先由本应用登记并经批准")
        _demand(found)
        if question.query and sha256_of(question.query) != found.sha256:
            raise BadRequest(
                "查询文本与查询标识不符：请只发送其一",
                reason="SHAPE",
                english="the text is not that of the document id; send one of them",
            )
        return Settled(replace(question, query=found.text), found)

    async def named(self, known: Known, name: str, version: str) -> Registered:
        """The client's document of this name and version. NotFound, DocumentNotTrusted."""
        number = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else 0
        found = (await self._shelf(known)).by_name.get((name, number))
        if found is None:
            raise NotFound("没有此名称与版本的接口：请对照 /api/openapi.json")
        _demand(found)
        return found

    async def approved(self, known: Known) -> tuple[Registered, ...]:
        """The client's approved documents, by name and version."""
        shelf = await self._shelf(known)
        return tuple(one for one in shelf.by_name.values() if one.state == APPROVED)

    async def _free(self, question: Question, known: Known) -> Settled:
        mode = self.mode(known.gate.asker)
        if mode is Mode.OPEN:
            return Settled(question)
        found = (await self._shelf(known)).by_hash.get(sha256_of(question.query))
        if found is not None and found.state == APPROVED:
            return Settled(question, found)
        if mode is Mode.LOG:
            return Settled(question, free=True)
        raise DocumentNotTrusted("只接受经批准的受信查询：请先登记并批准，再以 documentId 提问")

    # -- what a worker keeps

    async def _shelf(self, known: Known) -> _Shelf:
        client, version = known.client, known.gate.book.version
        found = self._shelves.get(client)
        if found is None or found.version < version:
            # Many requests find at one moment that the policy is a new one: one reads.
            async with self._turns.setdefault(client, asyncio.Lock()):
                found = self._shelves.get(client)
                if found is None or found.version < version:
                    found = self._shelves[client] = await self._read(client, version)
        return found

    async def _read(self, client: str, version: int) -> _Shelf:
        # The store is at this version or past it: its documents are no older than the book.
        try:
            async with self._engine.connect() as connection:
                documents = await read_documents(connection, client)
                aliases = await read_aliases(connection, client)
        except (SQLAlchemyError, OSError):
            raise SourceUnavailable(
                "受信查询暂时无法核对，请稍后再试", reason="DOWN", source="hub"
            ) from None
        sound = [one for one in documents if one.sound]
        if len(sound) < len(documents):
            _log.error("trusted documents changed past the workflow", client=client)
        kept = [one if one.state == APPROVED else replace(one, text="") for one in sound]
        return _Shelf(
            version,
            {one.sha256: one for one in kept},
            aliases,
            {(one.name, one.version): one for one in kept},
        )


def _demand(found: Registered) -> None:
    """DocumentNotTrusted unless it is approved; only its own client is told which it is."""
    if found.state == APPROVED:
        return
    why = "已经停用" if found.state == RETIRED else "尚未批准"
    raise DocumentNotTrusted(f"受信查询 `{found.label}` {why}")
