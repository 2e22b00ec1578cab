"""An outside issuer: its keys, its tokens, and the server that publishes the keys."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.servers import Asked, Served, http, serving

ISS, AUDIENCE = "https://sso.example.invalid", "data-sharing-hub"
JSON = {"Content_Type": "application/json"}
Key = ECKey | RSAKey


def b64(value: object) -> str:
    """A part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def published(key: Key, kid: str, **more: object) -> dict[str, Any]:
    """A public key as an issuer shows it."""
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    shown = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": algorithm, **more}
    return {name: value for name, value in shown.items() if value is not None}


def said(**over: Any) -> dict[str, Any]:
    """The claims of a good token of now; None leaves one out."""
    now = int(time.time())
    claims = {
        "iss": ISS,
        "aud": AUDIENCE,
        "sub": "clerk-01",
        "client_id": "mca-desk",
        "scope": "openid aid.file",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": uuid.uuid4().hex,
    } | over
    return {name: value for name, value in claims.items() if value is not None}


def signed(key: Key, kid: object, claims: Mapping[str, Any], **header: Any) -> str:
    """A token as its issuer makes it, or as somebody makes it who is up to something."""
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    head = {"alg": algorithm, "typ": "at+jwt", "kid": kid} | header
    head = {name: value for name, value in head.items() if value is not None}
    signing = f"{b64(head)}.{b64(dict(claims))}"
    raw = JWSRegistry.algorithms[algorithm].sign(signing.encode(), key)
    return f"{signing}.{b64(raw)}"


@dataclass(slots=True)
class Idp:
    """What the server answers; a test changes it while it runs. `asked` counts requests."""

    keys: list[dict[str, Any]]
    served: Served | None = None
    status: int = 200
    body: bytes | None = None
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        assert self.served is not None
        return len(self.served.asked)

    @property
    def address(self) -> str:
        assert self.served is not None
        return f"{self.served.address}/jwks"

    async def answer(self, asked: Asked) -> bytes:
        if self.wait_s:
            await asyncio.sleep(self.wait_s)
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        return http(self.status, body, **JSON, **self.headers)


@contextlib.asynccontextmanager
async def publishing(
    *keys: dict[str, Any], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Idp]:
    """An issuer that shows these keys on a loopback port."""
    idp = Idp(list(keys))
    async with serving(idp.answer, tls) as served:
        idp.served = served
        yield idp
