"""A request for a token, and what its rules need to know, as plain values.

Apart from the rules (`oauth_server.py`), so that reading a request does not import Authlib.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub.identity.tokens import Claims
from store.clients import CERT, Client, ClientKey

BASIC, POST, SIGNED = "client_secret_basic", "client_secret_post", "private_key_jwt"
METHODS = (BASIC, POST, SIGNED)


@dataclass(frozen=True, slots=True)
class Registered:
    """A client that is let in today, with its keys and its account's epoch."""

    client: Client
    keys: tuple[ClientKey, ...]
    epoch: int

    def has(self, kind: str) -> bool:
        """Has it a live key of this kind?"""
        return any(key.live and key.kind == kind for key in self.keys)

    def shows(self, certificate: str) -> bool:
        """Is this certificate registered for it?"""
        return any(k.live and k.kind == CERT and k.id == certificate for k in self.keys)


class Store(Protocol):
    """What a request needs of the store. Each call blocks the thread it is made in."""

    def registered(self, client_id: str) -> Registered | None:
        """The client, if it is let in today."""

    def first_use(self, client_id: str, jti: str, until: int) -> bool:
        """Is this the first time an assertion of this `jti` comes, at any worker?"""

    def revoke(self, claims: Claims) -> None:
        """Refuse a token from now on."""

    def stands(self, claims: Claims) -> bool:
        """Would a verified token still let somebody in?"""


@dataclass(slots=True)
class Asking:
    """A request as it came: form without doubled names, headers by their usual names.

    `certificate`: the fingerprint of the one a trusted proxy saw. `client` and `method` are known
    once the client has proved itself.
    """

    uri: str
    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    certificate: str | None = None
    client: Client | None = None
    method: str = "none"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; `error` is None for what was granted."""

    status: int
    payload: Mapping[str, Any] = field(repr=False)

    @property
    def error(self) -> str | None:
        """The error's code by RFC 6749."""
        return self.payload.get("error")
