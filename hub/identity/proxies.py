"""What only a proxy of ours may say: whence a request came, and with which certificate.

TLS ends at the proxy. It says so in ``X-Forwarded-Proto``, names the client's address in
``X-Forwarded-For`` and hands the client's certificate on in ``Client-Cert`` (RFC 9440). They are
believed from ``trusted_proxies`` alone:
anybody else's X-Forwarded-… are passed over, anybody else's Client-Cert refused, because whoever
sends it means to be taken for another. This stands before every road, streams included.

The certificate goes on as its fingerprint under a name that HTTP has no way to send
(`identity.CERTIFICATE`).
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from cachetools import LRUCache
from cryptography import x509
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.errors import BadRequest, HubError, Unauthenticated
from hub.edge.decoding import JSON
from hub.edge.endpoint import deliver
from hub.identity.tokens import CERTIFICATE
from hub.release import Visit
from hub.worker import Hub

HEADER, FORWARDED = b"client-cert", b"x-forwarded-for"
PROTO = b"x-forwarded-proto"
SAID = frozenset({HEADER, FORWARDED, PROTO, CERTIFICATE})
ENCRYPTED = {"http": "https", "websocket": "wss"}  # by the type of a scope
HOPS = 32  # more addresses than any chain of proxies has
KEPT = 1_024
POLICY_VIOLATION = 1008  # RFC 6455

Network = IPv4Network | IPv6Network
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate: its fingerprint (RFC 8705), and when it may be used."""

    fingerprint: str
    since: datetime
    until: datetime


class Proxies:
    """Reads what proxies of these networks say. `app` gets what is left."""

    def __init__(self, hub: Hub, app: ASGIApp) -> None:
        self._hub, self._app = hub, app
        self._networks = hub.settings.trusted_proxies
        self._read: LRUCache[bytes, Certificate | None] = LRUCache(KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if any(name in SAID for name, _ in scope["headers"]):
            try:
                self._believe(scope)
            except HubError as error:
                await self._refuse(error, scope, send)
                return
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope) -> None:
        """Put into the scope what a proxy of ours means. BadRequest HEADER, Unauthenticated.

        The scope itself is changed: the server looks in it for what a stream leaves there
        (`hub.server.END`).
        """
        headers: Headers = list(scope["headers"])
        peer = _address((scope.get("client") or ("",))[0])
        ours = peer is not None and _within(peer, self._networks)
        certificates = [value for name, value in headers if name == HEADER]
        if certificates and (not ours or len(certificates) > 1):
            raise BadRequest(
                "Client-Cert 只能由受信任的代理添加：请删去，或经代理访问", reason="HEADER"
            )
        left = [(n, v) for n, v in headers if n not in (HEADER, CERTIFICATE)]
        if certificates:
            left.append((CERTIFICATE, self._fingerprint(certificates[0]).encode()))
        scope["headers"] = left
        if ours:
            named = _client(headers, self._networks)
            scope["client"] = (str(peer) if named is None else named, 0)
            if _is_encrypted(headers):
                scope["scheme"] = ENCRYPTED[scope["type"]]

    def _fingerprint(self, value: bytes) -> str:
        if value not in self._read:
            self._read[value] = read_certificate(value)
        certificate = self._read[value]
        if certificate is None:
            raise BadRequest("Client-Cert 不是 RFC 9440 所述的证书", reason="HEADER")
        if not certificate.since <= datetime.now(UTC) <= certificate.until:
            raise Unauthenticated("客户端证书不在有效期内：请更换", reason="CERT_UNKNOWN")
        return certificate.fingerprint

    async def _refuse(self, error: HubError, scope: Scope, send: Send) -> None:
        peer = _address((scope.get("client") or ("",))[0])
        visit = Visit(uuid.uuid4().hex, ip="" if peer is None else str(peer))
        self._hub.rejects.add(visit.ip, error.reason or error.code)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        await deliver(await self._hub.release.refusal(error, visit, JSON), send)


def read_certificate(value: bytes) -> Certificate | None:
    """The certificate of a ``Client-Cert`` header (a byte sequence of RFC 8941); None for others"""
    text = value.strip()
    if len(text) < 3 or not (text.startswith(b":") and text.endswith(b":")):
        return None
    try:
        der = base64.b64decode(text[1:-1], validate=True)
        found = x509.load_der_x509_certificate(der)
    except ValueError:
        return None
    since, until = found.not_valid_before_utc, found.not_valid_after_utc
    return Certificate(fingerprint(der), since, until)


def fingerprint(der: bytes) -> str:
    """``x5t#S256`` of a certificate: base64url of the SHA-256 of its DER."""
    return base64.urlsafe_b64encode(sha256(der).digest()).decode().rstrip("=")


def _client(headers: Headers, networks: Iterable[Network]) -> str | None:
    """The last address named that is no proxy of ours: all before it, anybody may have written.

    None if nobody else is named; empty if it cannot be read: then the address is unknown, since a
    proxy's own may read what others may not.
    """
    named = b",".join(value for name, value in headers if name == FORWARDED).split(b",")
    hops = [hop.decode("latin-1").strip() for hop in named if hop.strip()]
    for hop in reversed(hops[-HOPS:]):
        address = _address(hop)
        if address is None:
            return ""
        if not _within(address, networks):
            return str(address)
    return None


def _is_encrypted(headers: Headers) -> bool:
    """Does the proxy next to us say that TLS ends there?"""
    named = [value for name, value in headers if name == PROTO]
    return bool(named) and named[-1].rpartition(b",")[2].strip().lower() == b"https"


def _within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
