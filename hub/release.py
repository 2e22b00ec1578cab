"""The one door out: answer -> Draft -> durable append -> bytes with the Receipt.

Nothing an asker may read leaves by another way. If the record cannot be written the answer
is AUDIT_UNAVAILABLE and holds no data (audit P1, P5).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.log import AuditLog
from audit.quorum import Quorum
from audit.record import BadRecord, Draft, Kind, Op, Outcome, ReadEntry, Receipt
from audit.subjects import split
from audit.tokens import SubjectTokens
from authz.post import Asker
from authz.rule import EMERGENCY
from catalog.divisions import COUNTY
from catalog.errors import AuditUnavailable, HubError
from hub.edge.decoding import GRAPHQL_JSON, JSON
from hub.edge.flat import FACES, PROBLEM, TAGGED, flattened
from hub.limits import ERRORS_SHOWN
from resolvers.answer import COMMITTED, Answer
from resolvers.assemble import formatted
from resolvers.deed import Told
from resolvers.plan import Disclosure, ReadDisclosure
from store.documents import Registered

STATUS = {kind.code: kind.status for kind in HubError.__subclasses__()}
PLAIN_STATUS = frozenset({401, 403, 405, 406, 413, 415, 429, 500, 503, 504})
_STANDING = {
    media: (
        (b"content-type", f"{media}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"vary", b"Accept, Origin"),
    )
    for media in (JSON, GRAPHQL_JSON, PROBLEM)
}
_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    *_STANDING[JSON][1:],
    (b"x-accel-buffering", b"no"),  # nginx would wait for a full buffer
)
_AS_TEXT = (
    (b"content-type", b"text/plain; charset=utf-8"),
    # To be kept, and asked for again each time: who may read it today is seen today.
    (b"cache-control", b"private, no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"Authorization, Origin"),
)
_FAULTY = {  # RFC 6750: why a token that was sent is not taken; nothing of it is said
    "TOKEN_INVALID": b'Bearer error="invalid_token"',
    "TOKEN_EXPIRED": b'Bearer error="invalid_token", error_description="expired"',
}
_ADDED: Mapping[int, tuple[tuple[bytes, bytes], ...]] = {
    401: ((b"www-authenticate", b"Bearer"),),
    405: ((b"allow", b"POST"),),
}
_AS_PAGE = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Accept, Authorization, Origin"),
)
_EMPTY = 204
RETRY = "retryAfter"  # seconds; in an error's extensions and in its head
CONTRACT = "Schema_sdl"  # how the record names the operation of who fetches the SDL
SANDBOX = ((b"x-sandbox", b"true"),)
NAME_LENGTH, NAME_DIGITS = 40, 2  # `Top10Cases` says what is asked; a token has more digits
FILE = "page.file"  # beside the variables: GraphQL has no name with a dot
AUDIT = "audit_"  # reading a data set named so is itself an AUDIT_READ (audit P6)


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes of a page and the policy that a browser keeps for it."""

    body: bytes
    csp: bytes


@dataclass(frozen=True, slots=True)
class File:
    """Bytes that are no page. `media` their whole type, `kept` whether a browser may keep them."""

    body: bytes
    media: str
    kept: str = "no-store"


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed of an answer: its number and digest. `copy`: it was printed before."""

    COPY: ClassVar[str] = "print.copy"

    number: str
    sha256: str
    copy: bool = False

    def told(self) -> dict[str, str | bool]:
        """As it stands in the record of the READ."""
        told: dict[str, str | bool] = {"print.number": self.number, "print.sha256": self.sha256}
        return told | {self.COPY: True} if self.copy else told


@dataclass(slots=True)
class Visit:
    """What is known of a request before its question is read.

    `end_user`: the token of whom a portal speaks for; `note`: the digest of ``X-Purpose-Note``;
    `intent`, `stream`: of an emergency, of a subscription, where its INTENT stands; `run`: how
    many consecutive id numbers (`runs.py`), known after the answer. `trusted`: the approved
    document that is asked; `free`: a text nobody has approved, which the record says where
    documents are watched. `road`: the digest of ``X-Road-Id``; `paper`: what of the answer is
    printed; `session`: of a browser that is signed in, as the log names it; `file`: as which kind
    of file the answer leaves; `told`: headers of its answer, whatever that will be.
    """

    request_id: str
    client: str = ""
    ip: str = ""
    asker: Asker | None = None
    basis: str = ""
    run: int = 0  # of consecutive id numbers (`runs.py`)
    note: str = ""
    intent: str = ""
    end_user: str = ""
    trusted: Registered | None = None
    free: bool = False
    stream: str = ""
    road: str = ""
    paper: Paper | None = None
    session: str = ""
    file: str = ""
    told: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Sent:
    """Status, headers and body, ready to leave.

    `code` of its first error, if there is one; `answered`: the body has data, if only null.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    code: str = ""
    answered: bool = False


class Release:
    """Writes the record, then makes the bytes. `sandbox`: each answer says it is invented."""

    def __init__(
        self, log: AuditLog, tokens: SubjectTokens, quorum: Quorum, *, sandbox: bool = False
    ) -> None:
        self._log, self._tokens, self._quorum = log, tokens, quorum
        self._marks = SANDBOX if sandbox else ()

    async def answer(self, answer: Answer, visit: Visit, media: str) -> Sent:
        """An executed or refused operation."""
        try:
            self._quorum.demand()
        except AuditUnavailable as unwitnessed:
            return await self.refusal(_done(unwitnessed, answer), visit, media)
        try:
            receipt = await self._log.append(self._draft(answer.disclosure, visit))
        except AuditUnavailable as error:
            await self._attempted(error, visit)
            return self._bare(_done(error, answer), visit, media, None)
        payload: dict[str, Any] = {"data": answer.data} if answer.executed else {}
        if answer.errors:
            shown = answer.errors[:ERRORS_SHOWN]
            payload["errors"] = [_named(e, visit.request_id) for e in shown]
        extensions = {**answer.extensions, "audit": _receipt(receipt)}
        if len(answer.errors) > ERRORS_SHOWN:
            extensions["errorsOmitted"] = len(answer.errors) - ERRORS_SHOWN
        payload["extensions"] = extensions
        status = _status(answer, media)
        added = self._marks
        if media == TAGGED and status == 200 and not answer.errors:
            added = (*added, (b"etag", self._etag(answer, visit)))
        sent = _sent(status, visit, media, receipt, payload, *added)
        sent.answered = answer.executed
        return sent

    def _etag(self, answer: Answer, visit: Visit) -> bytes:
        """A tag of all but the receipt; keyed, since a plain digest of few values can be guessed.

        Weak: each answer has a receipt of its own. Equal for equal answers to one asker alone.
        """
        said = hashlib.sha256(orjson.dumps([answer.data, dict(answer.extensions)])).hexdigest()
        who = visit.asker.principal_id if visit.asker else ""
        return b'W/"%s"' % self._tokens.token(f"etag {who} {said}").encode()

    async def subscribed(self, told: Disclosure, visit: Visit) -> Receipt:
        """A subscription begins: its record is there before it waits. AuditUnavailable."""
        self._quorum.demand()
        return await self._log.append(self._draft(told, visit, Kind.SUBSCRIBE_INTENT))

    async def unsubscribed(self, told: Disclosure, visit: Visit) -> None:
        """A subscription has ended, as `told`'s outcome and code say. AuditUnavailable."""
        await self._log.append(self._draft(told, visit, Kind.SUBSCRIBE_RESULT))

    async def contract(self, digest: str, body: bytes | None, visit: Visit) -> Sent:
        """The SDL whose sha256 is `digest` as a text, or that it is still the one he has.

        Recorded like introspection: who was given which contract.
        """
        told = Disclosure("query", CONTRACT, digest, (), Outcome.OK, None)
        try:
            self._quorum.demand()
            receipt = await self._log.append(self._draft(told, visit))
        except AuditUnavailable as error:
            return self._bare(error, visit, JSON, None)
        etag = b'"%s"' % digest.encode()
        headers = [*_AS_TEXT, (b"etag", etag), *_named_in_headers(visit, receipt), *self._marks]
        if body is None:
            return Sent(304, headers, b"")
        return Sent(200, [*headers, (b"content-length", b"%d" % len(body))], body)

    async def printed(self, answer: Answer, visit: Visit, connection: AsyncConnection) -> Receipt:
        """The record of an answer that is printed, in the transaction that keeps the print.

        It holds once that has been committed. AuditUnavailable.
        """
        self._quorum.demand()
        return await self._log.append_in(connection, self._draft(answer.disclosure, visit))

    async def copied(self, answer: Answer, visit: Visit) -> Receipt:
        """The record of an answer in whose place a stored print is shown. AuditUnavailable."""
        self._quorum.demand()
        return await self._log.append(self._draft(answer.disclosure, visit))

    def page(
        self,
        page: Page,
        visit: Visit,
        receipt: Receipt | None,
        *added: tuple[bytes, bytes],
        status: int = 200,
    ) -> Sent:
        """A page: a print whose record is there, or one that tells nothing of anybody."""
        headers = [
            *_AS_PAGE,
            (b"content-security-policy", page.csp),
            *_named_in_headers(visit, receipt),
            (b"content-length", b"%d" % len(page.body)),
            *added,
            *self._marks,
        ]
        return Sent(status, headers, page.body)

    def file(
        self, file: File, visit: Visit, receipt: Receipt | None, *added: tuple[bytes, bytes]
    ) -> Sent:
        """A file: a table whose records are there, or one that tells nothing of anybody."""
        headers = [
            (b"content-type", file.media.encode()),
            (b"cache-control", file.kept.encode()),
            (b"x-content-type-options", b"nosniff"),
            *_named_in_headers(visit, receipt),
            (b"content-length", b"%d" % len(file.body)),
            *added,
            *self._marks,
        ]
        return Sent(200, headers, file.body)

    async def signed(
        self, kind: Kind, visit: Visit, connection: AsyncConnection, code: str = ""
    ) -> Receipt:
        """A browser signs in or out: its record, in the transaction that makes it so.

        AuditUnavailable.
        """
        self._quorum.demand()
        draft = _by(visit, kind, code=code, op=Op(name="console", type="session"))
        return await self._log.append_in(connection, draft)

    async def unsigned(self, error: HubError, visit: Visit) -> Receipt:
        """An account that we know was not let in. AuditUnavailable."""
        told = Op(name="console", type="session")
        draft = _by(visit, Kind.SIGN_IN, outcome=outcome_of(error), code=error.code, op=told)
        return await self._log.append(draft)

    async def leaving(self, visit: Visit, name: str) -> Receipt:
        """A file is asked for: its record is there before it is read. AuditUnavailable."""
        self._quorum.demand()
        told = Op(name=name, type="query", vars={FILE: visit.file})
        return await self._log.append(_by(visit, Kind.EXPORT_INTENT, op=told))

    async def left(self, visit: Visit, name: str, intent: Receipt, rows: int) -> Receipt:
        """How many rows it holds; written before it leaves. AuditUnavailable."""
        told = Op(name=name, type="query", vars={FILE: visit.file, "rows": rows})
        draft = _by(visit, Kind.EXPORT_RESULT, op=told)
        return await self._log.append(replace(draft, ref=str(intent.idx)))

    def token(self, uid: str | None) -> str:
        """How the log names a citizen; empty for nobody."""
        return "" if uid is None else self._tokens.token(uid)

    async def deed(self, connection: Any, told: Told, visit: Visit, policy: int) -> None:
        """The record of a deed, in its own transaction and last of all (audit 1.3).

        AuditUnavailable: then nothing is committed.
        """
        about = {"before": told.before, "after": told.after, "changed": ",".join(told.changed)}
        people = () if told.subject is None else (told.subject,)
        draft = _by(
            visit,
            Kind.MUTATION,
            op=Op(told.command, type="mutation", vars={k: v for k, v in about.items() if v}),
            subjects=self._tokens.tokens(people),
            key_ver=self._tokens.version,
            policy=str(policy),
        )
        await self._log.append_in(connection, replace(draft, case=told.about, area=told.region))

    async def intent(self, visit: Visit) -> Receipt:
        """An emergency begins: its record is there before anything is read. AuditUnavailable."""
        return await self._log.append(_by(visit, Kind.BREAK_GLASS_INTENT))

    async def refusal(self, error: HubError, visit: Visit, media: str) -> Sent:
        """A request refused before it was an operation; recorded if we know whose it is."""
        if visit.asker is None:
            return self.unrecorded(error, visit, media)
        draft = _by(visit, outcome=outcome_of(error), code=error.code)
        try:
            receipt = await self._log.append(draft)
        except AuditUnavailable as unavailable:
            return self._bare(unavailable, visit, media, None)
        return self._bare(error, visit, media, receipt)

    def unrecorded(self, error: HubError, visit: Visit, media: str) -> Sent:
        """A refusal that is counted into the log by somebody else (`rejects.py`)."""
        return self._bare(error, visit, media, None)

    def permission(self, visit: Visit) -> Sent:
        """The answer to a browser that asks beforehand: what is told, and nothing else."""
        return Sent(_EMPTY, [*_STANDING[JSON][1:], *visit.told], b"")

    def elsewhere(self, error: HubError, visit: Visit, allow: str | None = None) -> Sent:
        """Nothing at this address, or not by this method; of nobody's question."""
        payload = {"errors": [_named(formatted(error), visit.request_id)]}
        added = () if allow is None else ((b"allow", allow.encode()),)
        return _sent(error.status, visit, JSON, None, payload, *added)

    async def _attempted(self, error: AuditUnavailable, visit: Visit) -> None:
        """A record that says too much is not written; that the account asked still is."""
        if isinstance(error.__cause__, BadRecord):
            with contextlib.suppress(AuditUnavailable):
                await self._log.append(_by(visit, outcome=Outcome.FAILED, code=error.code))

    def _bare(self, error: HubError, visit: Visit, media: str, receipt: Receipt | None) -> Sent:
        payload: dict[str, Any] = {"errors": [_named(formatted(error), visit.request_id)]}
        if receipt is not None:
            payload["extensions"] = {"audit": _receipt(receipt)}
        added = (*_added(error), *self._marks)
        return _sent(error.status, visit, media, receipt, payload, *added)

    def plain(self, status: int, payload: Mapping[str, Any], *added: tuple[bytes, bytes]) -> Sent:
        """A document that tells nothing of anybody: what the token endpoint says (`oauth.py`)."""
        body = orjson.dumps(payload)
        length = (b"content-length", b"%d" % len(body))
        return Sent(status, [*_STANDING[JSON], length, *added], body)

    def opening(self, visit: Visit) -> Sent:
        """The head of a stream of events, whose parts are recorded one by one."""
        return Sent(200, [*_STREAM, *_named_in_headers(visit, None), *self._marks], b"")

    # -- Disclosure -> Draft

    def _draft(self, told: Disclosure, visit: Visit, kind: Kind = Kind.READ) -> Draft:
        reads = tuple([_entry(r) for r in told.reads])
        seen = set().union(*[r.subjects for r in told.reads])
        audited = any(r.dataset.startswith(AUDIT) for r in told.reads)
        areas = sorted(set().union(*[r.areas for r in told.reads]))
        return _by(
            visit,
            Kind.AUDIT_READ if audited else kind,
            outcome=Outcome(told.outcome),
            code=told.code or "",
            op=Op(
                name=_safe_name(told.name),
                hash=told.digest,
                type=told.operation,
                vars=_safe_vars(told.variables) | _beside(visit),
            ),
            areas=tuple(areas),
            linkage=told.linkage,
            reads=reads,
            subjects=self._tokens.tokens(seen),
            # Two aliases may look for one person; a record names each person once.
            sought=self._sought(told.sought),
            key_ver=self._tokens.version,
            policy=str(told.policy),
        )

    def _sought(self, people: Sequence[str | bytes]) -> bytes:
        """Their tokens; an officer may have named a person by his token itself."""
        made = self._tokens.tokens(dict.fromkeys(one for one in people if isinstance(one, str)))
        given = dict.fromkeys(one for one in people if isinstance(one, bytes))
        return made + b"".join(one for one in given if one not in split(made))


def _done(error: AuditUnavailable, answer: Answer) -> AuditUnavailable:
    """The error, which says whether what was asked for is done all the same (audit 1.3)."""
    if answer.committed:
        error.extra[COMMITTED] = True
    return error


def _added(error: HubError) -> Sequence[tuple[bytes, bytes]]:
    if "allow" in error.extra:
        return ((b"allow", str(error.extra["allow"]).encode()),)
    if RETRY in error.extra:
        return ((b"retry-after", str(error.extra[RETRY]).encode()),)
    faulty = _FAULTY.get(error.reason or "") if error.status == 401 else None
    return _ADDED.get(error.status, ()) if faulty is None else ((b"www-authenticate", faulty),)


def bare(body: bytes) -> Sent:
    """A part of a stream that tells of nothing: that it lives, that it is over."""
    return Sent(200, (), body)


def outcome_of(error: HubError) -> Outcome:
    """How a request ends that was refused with `error`."""
    if error.status >= 500:
        return Outcome.FAILED
    return Outcome.DENIED if error.status in (401, 403, 429) else Outcome.INVALID


def _by(visit: Visit, kind: Kind = Kind.READ, **told: Any) -> Draft:
    """Who asked, whence and what for, and what is `told` of it."""
    asker = visit.asker
    if asker is None:
        return Draft(kind, request=visit.request_id, ip=visit.ip, **told)
    post = asker.posts[0] if asker.posts else None
    return Draft(
        Kind.BREAK_GLASS_RESULT if visit.intent else kind,
        actor=asker.principal_id,
        org=post.dept if post else "",
        role=post.role if post else "",
        post_area=post.base if post else "",
        area=post.base if post else COUNTY,
        client=visit.client,
        ip=visit.ip,
        request=visit.request_id,
        trace=visit.request_id,
        purpose=asker.purpose,
        basis=visit.basis,
        case=asker.case_no or "",
        note=visit.note,
        session=visit.session,
        end_user=visit.end_user,
        break_glass=asker.purpose == EMERGENCY,
        ref=visit.intent or visit.stream,
        **told,
    )


def _entry(told: ReadDisclosure) -> ReadEntry:
    return ReadEntry(
        dataset=told.dataset,
        source=told.source,
        how=told.how,
        rows=told.rows,
        subjects=len(told.subjects),
        clear=_some_of(told.clear),
        masked=_some_of(told.masked),
        hidden=dict(told.hidden),
        by=told.by,
        rules=told.rules,
        lens=told.lens,
        as_of=told.as_of,
        states=_some_of(told.states),
        total=told.total,
    )


def _some_of(counts: dict[str, int]) -> dict[str, int]:
    """The counts that are not zero; usually all."""
    return counts if all(counts.values()) else {k: v for k, v in counts.items() if v}


def _safe_name(name: str | None) -> str:
    """An operation's name is the client's text: a short word that holds no number and no token."""
    if name is None or len(name) > NAME_LENGTH or sum(c.isdigit() for c in name) > NAME_DIGITS:
        return ""
    return name


def _safe_vars(variables: Sequence[tuple[str, str]]) -> dict[str, str]:
    """A variable's name is the client's text, too; one that may hold a number is only counted.

    The dot keeps a counted one apart from every name that GraphQL allows.
    """
    return {_safe_name(name) or f"var.{at}": kind for at, (name, kind) in enumerate(variables)}


def _beside(visit: Visit) -> dict[str, str | int | bool]:
    """What the record tells of an operation beside its variables; GraphQL has no name with a dot.

    A trusted document has its name (the operation's) and its version, a text that is none a mark,
    a print its number and its digest.
    """
    told: dict[str, str | int | bool] = {"run": visit.run} if visit.run else {}
    if visit.road:
        told["road.id"] = visit.road
    if visit.trusted is not None:
        told["doc.version"] = visit.trusted.version
    if visit.free:
        told["doc.free"] = True
    if visit.paper is not None:
        told |= visit.paper.told()
    if visit.file:
        told[FILE] = visit.file
    return told


def unchanged(sent: Sent) -> Sent:
    """304 in place of an answer its asker has already: recorded all the same, without its body."""
    kept = [(n, v) for n, v in sent.headers if n not in (b"content-type", b"content-length")]
    return Sent(304, kept, b"")


def _named(error: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    extensions = dict(error["extensions"]) | {"requestId": request_id}
    return dict(error) | {"extensions": extensions}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {"idx": receipt.idx, "leaf": receipt.leaf, "log": receipt.log}


def _sent(
    status: int,
    visit: Visit,
    media: str,
    receipt: Receipt | None,
    payload: Mapping[str, Any],
    *added: tuple[bytes, bytes],
) -> Sent:
    """The bytes and what is said about them. Parts of `payload` may be orjson.Fragments."""
    errors = payload.get("errors")
    if media in FACES:
        payload = flattened(media, status, payload)
        media = JSON if status == 200 else PROBLEM
    body = orjson.dumps(payload)
    headers = [
        *_STANDING[media],
        *_named_in_headers(visit, receipt),
        (b"content-length", b"%d" % len(body)),
        *added,
    ]
    return Sent(status, headers, body, errors[0]["extensions"]["code"] if errors else "")


def _named_in_headers(visit: Visit, receipt: Receipt | None) -> list[tuple[bytes, bytes]]:
    """The request's name, what is told in any case, and where its record lies."""
    named = [(b"x-request-id", visit.request_id.encode()), *visit.told]
    if receipt is not None:
        named.append((b"x-audit-id", b"%d" % receipt.idx))
        named.append((b"x-audit-receipt", receipt.leaf.encode()))
    return named


def _status(answer: Answer, media: str) -> int:
    """Protocol 1.2: graphql-response+json tells by status, plain JSON mostly by its body."""
    if not answer.errors or (answer.executed and answer.data is not None and _some(answer.data)):
        return 200
    found = STATUS.get(answer.errors[0]["extensions"]["code"], 500)
    if media in FACES:
        return found
    if media == GRAPHQL_JSON:
        return 200 if answer.executed and answer.data is not None and found == 403 else found
    return found if found in PLAIN_STATUS and not answer.executed else 200


def _some(data: Mapping[str, Any]) -> bool:
    return any(value is not None for value in data.values())
