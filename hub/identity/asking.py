"""Who asks: verified token + headers -> Known. Anonymous is refused before anything is read.

Posts come from the store, so that a transfer or a suspension counts on the next request; they
are kept for at most a second, and so is what was made of them: an account that asks again
within that second, with the same token and purpose, is one look-up. A new policy book ends it
at once, posts included; the token's end to the second. No token is kept, only its digest.
A machine client is asked for in the same way (`clients.py`), by its token or its certificate.

A case's number, or that of an order about it, narrows the rights to that case's household, and
only if case or order is the asker's business. What it narrows them to is made anew each time: a
household is in no cache.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from time import monotonic
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.book import PolicyBook
from authz.gate import Gate
from authz.keeper import BookKeeper
from authz.post import Asker
from catalog.errors import Forbidden, HubError, SourceUnavailable, Unauthenticated
from catalog.load import Catalog
from hub.identity import end_users
from hub.identity.case_files import CaseFiles, Filed
from hub.identity.clients import Clients
from hub.identity.end_users import EndUsers
from hub.identity.outsiders import Outsider
from hub.identity.tokens import (
    CERTIFICATE,
    PURPOSE_HEADER,
    Claims,
    Tokens,
    bearer,
    invalid,
    issuer_of,
    purpose,
)
from store.accounts import HeldPost, Holder, holder_of, holder_only

POSTS_S = 1.0  # how long posts may be remembered (authorisation 6)
POSTS_KEPT = 4_096
CASE_HEADER = b"x-case-no"
_CASE_NO = re.compile(r"[A-Z0-9][A-Z0-9-]{3,31}\Z")
_CLIENT = re.compile(r"(?:[a-z][a-z0-9_]{0,31}/)?[a-z0-9._-]{1,40}\Z")
_ZONE = ZoneInfo("Asia/Shanghai")

Headers = Mapping[bytes, bytes]
"""Lower-case name -> value as it came."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account that may ask for one purpose.

    `gate`: its rights; the same Gate while account, posts, purpose, day and book are the same,
    unless a case number narrows it. `client` and `basis` go into the record, `context` is what
    the engine is told beside the question.
    """

    gate: Gate
    client: str
    basis: str
    context: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Held:
    """Posts as the store has them; `until` monotonic seconds, at midnight at the latest."""

    posts: tuple[HeldPost, ...]
    holder: Holder | None
    until: float


@dataclass(frozen=True, slots=True)
class _Ready:
    """A Known to be used again; `until` that of its posts, `expires` by the tokens' clock."""

    known: Known
    until: float
    expires: float


class Askers:
    """Recognises who asks; one per worker. `clock` gives monotonic seconds."""

    def __init__(
        self,
        engine: AsyncEngine,
        tokens: Tokens,
        catalog: Catalog,
        keeper: BookKeeper,
        cases: CaseFiles,
        end_users: EndUsers,
        *,
        outsiders: Mapping[str, Outsider] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clients, self._outsiders = Clients(engine), outsiders or {}
        self._engine, self._tokens, self._catalog = engine, tokens, catalog
        self._keeper, self._cases, self._clock = keeper, cases, clock
        self._end_users = end_users
        self._posts: LRUCache[tuple[str, int], _Held] = LRUCache(POSTS_KEPT)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ready: dict[bytes, _Ready] = {}
        self._gates: LRUCache[Asker, Gate] = LRUCache(POSTS_KEPT)
        self._book: PolicyBook | None = None  # the one all Gates are of

    async def claims(self, headers: Headers) -> Claims:
        """The verified token's claims, or those of the client whose certificate comes alone.

        Unauthenticated if there is none that holds; SourceUnavailable.
        """
        certificate = text_of(headers, CERTIFICATE)
        if certificate is not None and b"authorization" not in headers:
            return await self._clients.claims(certificate)
        claims = await self._verified(bearer(text_of(headers, b"authorization")))
        if claims.certificate not in (None, certificate):
            raise invalid()  # a stolen token: its certificate stayed where it was
        return claims

    async def known(self, headers: Headers) -> Known:
        """Who asks, not yet bound to a case. Unauthenticated, PurposeRequired, Forbidden."""
        named = (CERTIFICATE, b"authorization", b"x-purpose")
        key = sha256(b"\0".join(headers.get(name, b"") for name in named)).digest()
        ready = self._ready.get(key)
        if (
            ready is not None
            and self._clock() < ready.until
            and self._tokens.now() < ready.expires
            and self._keeper.current() is ready.known.gate.book
        ):
            return ready.known
        return await self._recognised(key, headers)

    async def narrowed(self, known: Known, headers: Headers) -> Known:
        """Bound to who is spoken for and to the case of ``X-Case-No``, if they are given.

        BadRequest HEADER, Forbidden END_USER, CASE.
        """
        gate = known.gate
        who = (text_of(headers, end_users.HEADER) or "").strip()
        if end_users.HEADER in headers:
            found = await self._end_users.find(gate.asker.kind, who)
            asker = replace(gate.asker, bound=found.household, end_user=found.uid)
            gate = Gate(gate.book, asker, self._catalog)
        case_no = (text_of(headers, CASE_HEADER) or "").strip()
        if case_no:
            gate = Gate(gate.book, await self._narrowed(gate, case_no), self._catalog)
        if gate is known.gate:
            return known
        return replace(known, gate=gate, context=_context(gate, self._catalog))

    async def attributed(self, headers: Headers) -> Asker | None:
        """Whose a request is that was refused before its purpose was known; None for a stranger.

        A token that names no account, may not name it, was made void or revoked, says nothing of
        anybody: whoever sent it is a stranger.
        """
        try:
            claims = await self.claims(headers)
            claims = await self._clients.standing(claims, text_of(headers, CERTIFICATE))
            async with self._engine.connect() as connection:
                holder = await holder_only(connection, claims.sub, active=False)
        except (HubError, SQLAlchemyError, OSError):
            return None
        day = datetime.now(_ZONE).date()
        if holder is None:  # our own issuer's word is ours, also of an account that is no more
            return None if claims.issuer else Asker(claims.sub, "official", (), "", day)
        if claims.void(holder):
            return None
        return Asker(claims.sub, holder.kind, (), "", day, gateway=claims.gateway)

    # -- the first time in a second

    async def _recognised(self, key: bytes, headers: Headers) -> Known:
        claims = await self.claims(headers)
        book = self._keeper.current()  # what the store says from here on is at least as new
        claims = await self._clients.standing(claims, text_of(headers, CERTIFICATE))
        named = {PURPOSE_HEADER: text_of(headers, b"x-purpose") or ""}
        why = purpose(named, claims, self._catalog.purposes)
        held = await self._held(claims.sub, book.version)
        if held.holder is None or claims.void(held.holder):
            raise Unauthenticated(
                "账号未启用、已停用或没有岗位，或令牌已作废", reason="TOKEN_INVALID"
            )
        gate = self._gate(claims, held.holder, held.posts, why, book)
        client = claims.client if _CLIENT.match(claims.client) else ""
        basis = self._catalog.purposes[why].legal_basis
        known = Known(gate, client, basis, _context(gate, self._catalog))
        self._keep(key, _Ready(known, held.until, self._tokens.end(claims)))
        return known

    async def _verified(self, token: str) -> Claims:
        outsider = self._outsiders.get(issuer_of(token)) if self._outsiders else None
        return self._tokens.verify(token) if outsider is None else await outsider.verify(token)

    def _keep(self, key: bytes, ready: _Ready) -> None:
        self._ready.pop(key, None)  # put last again: the first are the ones to go
        self._ready[key] = ready
        if len(self._ready) > POSTS_KEPT:
            del self._ready[next(iter(self._ready))]

    def _gate(
        self,
        claims: Claims,
        holder: Holder,
        held: tuple[HeldPost, ...],
        why: str,
        book: PolicyBook,
    ) -> Gate:
        if book is not self._book:  # nothing may keep an old book alive
            self._gates.clear()
            self._ready.clear()
            self._book = book
        asker = asker_of(book, claims.sub, holder, held, why, datetime.now(_ZONE).date())
        asker = replace(asker, gateway=True) if claims.gateway else asker
        gate = self._gates.get(asker)
        if gate is None:
            gate = self._gates[asker] = Gate(book, asker, self._catalog)
        return gate

    async def _held(self, principal_id: str, version: int) -> _Held:
        # Posts are part of the policy: those read under an older version are asked for again.
        key = (principal_id, version)
        # Many requests of one account find at one moment that its second is over: one reads.
        async with self._turns.setdefault(principal_id, asyncio.Lock()):
            found = self._posts.get(key)
            if found is None or self._clock() >= found.until:
                found = self._posts[key] = await self._read(principal_id)
        return found

    async def _read(self, principal_id: str) -> _Held:
        # Counted from before the question: what is told may be as old as that.
        begun, now = self._clock(), datetime.now(_ZONE)
        try:
            async with self._engine.connect() as connection:
                holder, posts = await holder_of(connection, principal_id, now.date())
        except (SQLAlchemyError, OSError):
            raise SourceUnavailable("账号库暂时不可用", reason="DOWN", source="hub") from None
        return _Held(tuple(posts), holder, begun + min(POSTS_S, to_midnight(now)))

    # -- a case

    async def _narrowed(self, gate: Gate, case_no: str) -> Asker:
        """The asker bound to one household; the same refusal for any number not his business."""
        filed = await self._cases.find(case_no) if _CASE_NO.match(case_no) else None
        return bound_to(gate, case_no, filed)


async def rights_known(keeper: BookKeeper) -> None:
    """Return when no worker recognises anybody by posts it read before now.

    For a deed that is committed: whoever asks whichever worker after that has his new rights.
    """
    keeper.wake()
    await asyncio.sleep(POSTS_S)


def asker_of(
    book: PolicyBook,
    account: str,
    holder: Holder,
    held: Iterable[HeldPost],
    purpose: str,
    day: date,
) -> Asker:
    """Who asks, as the store knows him. RuleError for a post the book has no role for."""
    posts = tuple(book.post(p.dept, p.role, p.region_path) for p in held)
    return Asker(account, holder.kind, posts, purpose, day, purchased=holder.purchased)


def bound_to(gate: Gate, case_no: str, filed: Filed | None) -> Asker:
    """The asker narrowed to one household; Forbidden CASE for any number not his business."""
    if filed is None or filed.household is None:
        raise _no_case()
    for_somebody = gate.asker.kind == end_users.PORTAL or gate.of_one_person
    if for_somebody and gate.asker.end_user is None:
        raise _no_case()  # numbers can be counted up: who speaks for nobody has no case either
    if not gate.demand(filed.object, "read", filed.region, filed.owner).allowed:
        raise _no_case()
    if gate.asker.end_user is not None and filed.household != gate.asker.bound:
        raise _no_case()
    return replace(gate.asker, case_no=case_no, bound=filed.household)


def _context(gate: Gate, catalog: Catalog) -> Mapping[str, object]:
    """What ``viewer`` answers: the request's own facts, no governed data."""
    asker, places = gate.asker, catalog.divisions.by_path
    facts = {
        "account": asker.principal_id,
        "posts": [
            {
                "department": post.dept,
                "role": post.role,
                "division": places[post.base].code,
                "divisionName": places[post.base].name,
            }
            for post in asker.posts
        ],
        "purpose": asker.purpose,
        "purposeTitle": catalog.purposes[asker.purpose].title,
        "caseNo": asker.case_no,
        "policyVersion": gate.book.version,
    }
    return {"viewer": facts}


def text_of(headers: Headers, name: bytes) -> str | None:
    """A header as text; None if there is none."""
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def to_midnight(now: datetime) -> float:
    """Seconds to the end of the day: rights have dates."""
    ends = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return (ends - now).total_seconds()


def _no_case() -> Forbidden:
    return Forbidden("X-Case-No 所指的诉求件或督办单不存在，或不在您的职责内", reason="CASE")
