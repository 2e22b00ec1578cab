"""How a call shows a department that it is the hub's: a key, a passing token, a signature.

The secret is a setting (``source_keys``) and stands in headers and in the body of the call for
a token, nowhere else. A token is had once and used until shortly before it ends; a source that
refuses it sooner gets it renewed once.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from adapters.resilience import Fault
from adapters.web.http import Door, decoded, inside
from catalog.interface import Credential, Login, TokenDesk, filled

EARLY_S = 30.0  # a token is not used in its last seconds: it would end on the way


class Signer(Protocol):
    """Gives the headers of a call."""

    async def headers(self, body: bytes) -> Mapping[str, str]:
        """For this body. Fault if no token is to be had."""

    def refused(self) -> bool:
        """The source refused the last headers; True if new ones may help."""


def signer(
    credential: Credential,
    key: str | None,
    door: Door,
    *,
    clock: Callable[[], float] = time.time,
) -> Signer:
    """For one source; without a key (or a credential) calls go out unsigned.

    `clock`: seconds since 1970.
    """
    if key is None or credential.kind is Login.NONE:
        return Plain({})
    if credential.kind is Login.HEADER:
        return Plain({credential.header: credential.prefix + key})
    name, _, secret = key.partition(":")
    if credential.kind is Login.SIGNATURE:
        return Signature(credential, name, secret, clock)
    assert credential.desk is not None  # noqa: S101  the catalogue read it
    return Token(credential, credential.desk, (name, secret), door, clock)


class Plain:
    """The same headers every time."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def headers(self, _body: bytes) -> Mapping[str, str]:
        """The key, if there is one."""
        return self._headers

    def refused(self) -> bool:
        """A key that is refused stays refused."""
        return False


class Signature:
    """HMAC-SHA256 over id, time and body: nobody can send another body under it."""

    def __init__(
        self, credential: Credential, name: str, secret: str, clock: Callable[[], float]
    ) -> None:
        self._credential, self._name, self._clock = credential, name, clock
        self._secret = secret.encode()

    async def headers(self, body: bytes) -> Mapping[str, str]:
        """Id, time in ms, signature."""
        at = str(int(self._clock() * 1_000))
        text = self._name.encode() + at.encode() + body
        signed = hmac.new(self._secret, text, hashlib.sha256).hexdigest()
        given = self._credential
        return {
            given.id_header: self._name,
            given.time_header: at,
            given.header: given.prefix + signed,
        }

    def refused(self) -> bool:
        """A signature that is refused stays refused."""
        return False


class Token:
    """A token of the department's desk, shared by all calls of this process."""

    def __init__(
        self,
        credential: Credential,
        desk: TokenDesk,
        pair: tuple[str, str],
        door: Door,
        clock: Callable[[], float],
    ) -> None:
        self._credential, self._desk, self._door, self._clock = credential, desk, door, clock
        values = dict(zip(("$id", "$secret"), pair, strict=True))
        self._question = json.dumps(filled(desk.body, values)).encode()
        self._token, self._until = "", 0.0
        self._one = asyncio.Lock()  # many calls that find it ended ask for one new token

    async def headers(self, _body: bytes) -> Mapping[str, str]:
        """The token, had anew if it is at its end."""
        async with self._one:
            if self._clock() >= self._until:
                await self._renew()
            return {self._credential.header: self._credential.prefix + self._token}

    def refused(self) -> bool:
        """The source has forgotten it (it was restarted): the next call brings a new one."""
        self._until = 0.0
        return True

    async def _renew(self) -> None:
        answer = decoded(await self._door.post(self._desk.path, self._question, {}), "utf-8")
        token, lifetime = inside(answer, self._desk.token), inside(answer, self._desk.lifetime)
        try:
            seconds = float(lifetime)
        except (TypeError, ValueError):
            raise Fault from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Fault
        self._token, self._until = token, self._clock() + max(0.0, seconds - EARLY_S)
