"""The embedded issuer over HTTP: ``/oauth/token`` and what belongs to it.

    POST /oauth/token        RFC 6749 client_credentials; secret or private_key_jwt
    POST /oauth/revoke       RFC 7009
    POST /oauth/introspect   RFC 7662
    GET  /oauth/jwks         the public key
    GET  /.well-known/oauth-authorization-server   RFC 8414

Only with ``oauth.enabled``. Every request of a registered client for a token ends in a SIGN_IN
record, which is durable before the token leaves; strangers are counted (`rejects.py`). Who fails
ten times in ten minutes at one address waits. The rules are `oauth_server.py`'s, in a thread.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Coroutine, Mapping
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote

import structlog
from joserfc.util import urlsafe_b64decode
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from audit.record import Draft, Kind, Op, Outcome
from catalog.errors import AuditUnavailable, HubError, SourceUnavailable, Unauthenticated
from catalog.workdays import ZONE
from hub.edge.body import body_of
from hub.edge.endpoint import address_of, deliver
from hub.identity.clients import Clients
from hub.identity.credentials import digest
from hub.identity.oauth_request import METHODS, Asking, Registered, Reply
from hub.identity.tokens import CERTIFICATE, GRANT, SKEW_S, Claims
from hub.release import Sent
from hub.worker import Hub
from store import clients
from store.accounts import holder_only
from store.clients import Failures

if TYPE_CHECKING:
    from hub.identity.oauth_server import Server

TOKEN, REVOKE, INTROSPECT = "/oauth/token", "/oauth/revoke", "/oauth/introspect"
JWKS, METADATA = "/oauth/jwks", "/.well-known/oauth-authorization-server"
FORM = b"application/x-www-form-urlencoded"
MAX_FORM = 16 * 1024  # an assertion has 600 bytes
MAX_FIELDS = 16
AT_ONCE = 2  # threads: each may hash a secret, which takes 20 MB and 20 ms
WAITING = 32  # requests that may wait for one of them
STORE_S = 5.0
SYSTEM = "system"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}\Z")
_SAID = {
    "invalid_client": "client authentication failed",
    "invalid_scope": "a purpose the client may not declare",
    "unsupported_grant_type": "use grant_type=client_credentials",
    "invalid_grant": "the token was not issued to this client",
}
_log = structlog.get_logger("hub.identity.oauth")
T = TypeVar("T")


class Refused(Exception):
    """A request that is refused before its rules are asked: status and RFC 6749 error."""

    def __init__(self, status: int, error: str, wait_s: int = 0) -> None:
        super().__init__(error)
        self.status, self.error, self.wait_s = status, error, wait_s


def routes(hub: Hub) -> list[Route]:
    """The issuer's routes; none if it is off."""
    if not hub.settings.oauth_enabled:
        return []
    issuer = Issuer(hub)
    doors = {TOKEN: "token", REVOKE: "revocation", INTROSPECT: "introspection"}
    shown = {JWKS: hub.tokens.jwks, METADATA: metadata(hub)}
    return [
        *(Route(path, Door(hub, issuer, what)) for path, what in doors.items()),
        *(Route(path, Page(hub, content)) for path, content in shown.items()),
    ]


def metadata(hub: Hub) -> Mapping[str, Any]:
    """What a client need not be told by hand (RFC 8414)."""
    base, settings = hub.settings.oauth_url.rstrip("/"), hub.settings
    signed = ["RS256", "ES256"]
    told: dict[str, Any] = {
        "issuer": settings.issuer,
        "jwks_uri": base + JWKS,
        "scopes_supported": sorted(hub.catalog.purposes),
        "response_types_supported": [],
        "grant_types_supported": [GRANT],
        "tls_client_certificate_bound_access_tokens": True,
    }
    for name, path in (("token", TOKEN), ("revocation", REVOKE), ("introspection", INTROSPECT)):
        told[f"{name}_endpoint"] = base + path
        told[f"{name}_endpoint_auth_methods_supported"] = list(METHODS)
        told[f"{name}_endpoint_auth_signing_alg_values_supported"] = signed
    return told


class Page:
    """A document for everybody."""

    def __init__(self, hub: Hub, content: Mapping[str, Any]) -> None:
        self._hub, self._content = hub, content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        release = self._hub.release
        if scope["method"] in ("GET", "HEAD"):
            await deliver(release.plain(200, self._content), send)
        else:
            allow = (b"allow", b"GET")
            await deliver(release.plain(405, {"error": "invalid_request"}, allow), send)


class Door:
    """One endpoint of the issuer."""

    def __init__(self, hub: Hub, issuer: Issuer, what: str) -> None:
        self._hub, self._issuer, self._what = hub, issuer, what

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await deliver(await self._answered(scope, receive), send)

    async def _answered(self, scope: Scope, receive: Receive) -> Sent:
        request_id, address = uuid.uuid4().hex, address_of(scope)
        try:
            asking = await self._read(scope, receive)
            reply = await self._issuer.reply(self._what, asking, address, request_id)
            return self._sent(reply.status, reply.payload, request_id)
        except Refused as refused:
            self._hub.rejects.add(address, refused.error.upper())
            wait_s = refused.wait_s
            return self._sent(refused.status, {"error": refused.error}, request_id, wait_s)
        except (AuditUnavailable, SourceUnavailable, TimeoutError, SQLAlchemyError, OSError):
            return self._sent(503, {"error": "temporarily_unavailable"}, request_id)
        except HubError as error:  # of the body
            return self._sent(error.status, {"error": "invalid_request"}, request_id)
        except Exception as error:  # its text may hold what was sent
            _log.error("internal error", exception=type(error).__name__, request=request_id)
            return self._sent(500, {"error": "server_error"}, request_id)

    async def _read(self, scope: Scope, receive: Receive) -> Asking:
        headers = dict(reversed(scope["headers"]))
        if scope["method"] != "POST":
            raise Refused(405, "invalid_request")
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != FORM:
            raise Refused(415, "invalid_request")
        form = form_of(await body_of(receive, self._hub.settings.deadline_s))
        given = headers.get(b"authorization")
        kept = {} if given is None else {"Authorization": given.decode("latin-1")}
        if (given is not None) + ("client_secret" in form) + ("client_assertion" in form) > 1:
            raise Refused(400, "invalid_request")  # RFC 6749 2.3: one method a request
        certificate = headers.get(CERTIFICATE)
        shown = None if certificate is None else certificate.decode("ascii")
        return Asking(self._hub.settings.oauth_url.rstrip("/") + TOKEN, form, kept, shown)

    def _sent(
        self, status: int, payload: Mapping[str, Any], request_id: str, wait_s: int = 0
    ) -> Sent:
        added = [(b"pragma", b"no-cache"), (b"x-request-id", request_id.encode())]
        if status == 401:
            added.append((b"www-authenticate", b'Basic realm="hub"'))
        if status == 405:
            added.append((b"allow", b"POST"))
        if wait_s:
            added.append((b"retry-after", b"%d" % wait_s))
        said = _SAID.get(payload.get("error", ""))
        told = payload if said is None else {**payload, "error_description": said}
        return self._hub.release.plain(status, told, *added)


class Issuer:
    """Asks the rules in a thread, few at a time, and records what came of it."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._failures = hub, Failures(hub.store)
        self._turns, self._waiting = asyncio.Semaphore(AT_ONCE), 0
        self._server: Server | None = None

    async def reply(self, what: str, asking: Asking, address: str, request_id: str) -> Reply:
        """What is answered, recorded if it is. Refused, AuditUnavailable, SQLAlchemyError."""
        if self._waiting >= WAITING:
            raise Refused(503, "temporarily_unavailable", 1)
        self._waiting += 1
        try:
            async with self._turns:
                return await self._in_turn(what, asking, address, request_id)
        finally:
            self._waiting -= 1

    async def _in_turn(self, what: str, asking: Asking, address: str, request_id: str) -> Reply:
        known = await self._named(asking)
        name, where = "" if known is None else known.id, _bucket(address)
        wait_s = await self._failures.wait_s(name, where)
        if wait_s:
            raise Refused(429, "temporarily_unavailable", wait_s)
        store = _Store(self._hub, asyncio.get_running_loop())
        reply = await asyncio.to_thread(self._ruled, what, asking, store)
        if reply.error == "invalid_client":
            failures = await self._failures.add(name, where)
            if failures > clients.RECORDED:  # a flood is counted, not written out
                raise Refused(reply.status, reply.error)
        known = asking.client or known
        if known is None:
            raise Refused(reply.status, reply.error or "invalid_client")
        if what != "introspection" or reply.error is not None:
            await self._hub.log.append(_draft(what, known, asking, reply, address, request_id))
        return reply

    def _ruled(self, what: str, asking: Asking, store: _Store) -> Reply:
        from hub.identity.oauth_server import Server

        if self._server is None:
            settings = self._hub.settings
            audiences = [settings.issuer, settings.oauth_url.rstrip("/") + TOKEN]
            self._server = Server(self._hub.tokens, store, audiences)
        return self._server.reply(what, asking)

    async def _named(self, asking: Asking) -> clients.Client | None:
        """The client a request says it comes from: for counting and recording, proved later."""
        name = named(asking.form, asking.headers)
        if not _NAME.match(name):
            return None
        async with self._hub.store.connect() as conn:
            return await clients.client_of(conn, name)


def _bucket(address: str) -> str:
    """What is counted as one address: of IPv6 the network a single subscriber has."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _draft(
    what: str,
    client: clients.Client,
    asking: Asking,
    reply: Reply,
    address: str,
    request_id: str,
) -> Draft:
    certificate = asking.certificate is not None
    return Draft(
        Kind.SIGN_IN,
        Outcome.OK if reply.error is None else Outcome.DENIED,
        code=reply.error or "",
        actor=client.principal,
        org=client.dept,
        client=client.id,
        ip=address,
        request=request_id,
        trace=request_id,
        op=Op(name=what, type="oauth", vars={"auth": asking.method, "certificate": certificate}),
    )


class _Store:
    """The store for a thread: each call is run by the event loop and waited for."""

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self._hub, self._loop = hub, loop

    def registered(self, client_id: str) -> Registered | None:
        """The client, if it and its account are let in today."""
        return self._run(self._registered(client_id)) if _NAME.match(client_id) else None

    def first_use(self, client_id: str, jti: str, until: int) -> bool:
        """True once for each client and `jti`."""
        return self._run(self._first_use(client_id, digest(jti), until))

    def revoke(self, claims: Claims) -> None:
        """Refuse a token from now on."""
        self._run(self._revoke(claims.jti, int(claims.exp) + SKEW_S + 1))

    def stands(self, claims: Claims) -> bool:
        """Would it let somebody in?"""
        return self._run(self._stands(claims))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STORE_S)

    async def _registered(self, client_id: str) -> Registered | None:
        async with self._hub.store.connect() as conn:
            client = await clients.client_of(conn, client_id)
            if client is None or not client.live(datetime.now(ZONE).date()):
                return None
            holder = await holder_only(conn, client.principal)
            if holder is None or holder.kind != SYSTEM:
                return None
            return Registered(client, await clients.read_keys(conn, client_id), holder.epoch)

    async def _first_use(self, client_id: str, jti: str, until: int) -> bool:
        async with self._hub.store.begin() as conn:
            await clients.forget(conn, int(time.time()))
            return await clients.use_assertion(conn, client_id, jti, until)

    async def _revoke(self, jti: str, until: int) -> None:
        async with self._hub.store.begin() as conn:
            await clients.revoke_token(conn, jti, until)

    async def _stands(self, claims: Claims) -> bool:
        try:
            await Clients(self._hub.store).standing(claims, None)
        except Unauthenticated:
            return False
        async with self._hub.store.connect() as conn:
            holder = await holder_only(conn, claims.sub)
        return holder is not None and not claims.void(holder)


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form, each named once. Refused invalid_request."""
    if len(body) > MAX_FORM:
        raise Refused(413, "invalid_request")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Refused(400, "invalid_request") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise Refused(400, "invalid_request")
    return form


def named(form: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Whom a request says it comes from; empty if it does not say, or not so that it can be read"""
    try:
        scheme, _, basic = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return unquote(base64.b64decode(basic).decode().partition(":")[0])
        if "client_assertion" in form:
            said = json.loads(urlsafe_b64decode(form["client_assertion"].split(".")[1].encode()))
            return str(said["sub"])
    except (ValueError, IndexError, KeyError, TypeError, RecursionError):
        return ""
    return form.get("client_id", "")
