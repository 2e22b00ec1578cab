"""Tokens of outside issuers over real HTTP: whose are taken, whose are not, and why."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from catalog.errors import Unauthenticated
from hub.identity.issuers import Issuer
from hub.identity.jwks import KEPT_S, KeySet, read_keys
from hub.identity.outsiders import Outsider
from store.accounts import suspend, void_tokens
from tests.door import (
    CLERK,
    DOWN,
    EXPIRED,
    INVALID,
    MISSING,
    OK,
    SYSTEM,
    Door,
    changed,
    opened,
    prepared,
    reason,
)
from tests.idp import AUDIENCE, ISS, Idp, b64, published, publishing, said, signed

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
EC = ECKey.generate_key("P-256", private=True)
RSA = RSAKey.generate_key(2048, private=True)
STRANGER = ECKey.generate_key("P-256", private=True)
PURPOSE = {"x_purpose": "aid.file"}


@dataclass
class Two:
    """A hub and the issuer it trusts."""

    door: Door
    idp: Idp

    async def ask(self, token: str) -> tuple[int, str | None, str | None]:
        return reason(await self.door.ask(token, **PURPOSE))


@pytest.fixture(scope="module")
async def two(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    folder = tmp_path_factory.mktemp("outsiders")
    async with publishing(published(EC, "ec"), published(RSA, "rsa")) as idp:
        mine: dict[str, Any] = {"issuers.mca": f"iss={ISS} jwks={idp.address} dept=mca"}
        async with opened(folder, await prepared(folder), **mine) as door:
            yield Two(door, idp)


async def test_both_algorithms_let_the_account_in(two: Two) -> None:
    for key, kid in ((EC, "ec"), (RSA, "rsa")):
        answer = await two.door.ask(signed(key, kid, said()), **PURPOSE)
        assert answer.json()["data"] == {"viewer": {"account": CLERK}}
    assert two.idp.asked == 1
    record = (await two.door.records("READ"))[-1]
    assert (record["actor"], record["client"]) == (CLERK, "mca/mca-desk")


async def test_our_own_tokens_go_on(two: Two) -> None:
    assert await two.ask(two.door.hub.tokens.issue(CLERK, ["aid.file"])) == OK


NOW = int(time.time())
REFUSED: dict[str, tuple[Callable[[], str], tuple[int, str, str]]] = {
    "of another key": (lambda: signed(STRANGER, "ec", said()), INVALID),
    "of an unknown key": (lambda: signed(STRANGER, "other", said()), INVALID),
    "without a key's name": (lambda: signed(EC, None, said()), INVALID),
    "RS256 under the name of an EC key": (lambda: signed(RSA, "ec", said()), INVALID),
    "ES256 under the name of an RSA key": (lambda: signed(EC, "rsa", said()), INVALID),
    "alg none": (lambda: _unsigned("none"), INVALID),
    "alg None": (lambda: _unsigned("None"), INVALID),
    "HS256 with the RSA public key": (lambda: _confused(RSA, "rsa"), INVALID),
    "HS256 with the EC public key": (lambda: _confused(EC, "ec"), INVALID),
    "PS256 said of an RSA key": (lambda: signed(RSA, "rsa", said(), alg="PS256"), INVALID),
    "jku": (lambda: signed(EC, "ec", said(), jku="https://evil.invalid"), INVALID),
    "x5u": (lambda: signed(EC, "ec", said(), x5u="https://evil.invalid"), INVALID),
    "x5c": (lambda: signed(EC, "ec", said(), x5c=["MIIB"]), INVALID),
    "jwk": (lambda: signed(EC, "ec", said(), jwk=published(STRANGER, "x")), INVALID),
    "crit": (lambda: signed(EC, "ec", said(), crit=["exp"]), INVALID),
    "zip": (lambda: signed(EC, "ec", said(), zip="DEF"), INVALID),
    "typ JWT": (lambda: signed(EC, "ec", said(), typ="JWT"), INVALID),
    "no typ": (lambda: signed(EC, "ec", said(), typ=None), INVALID),
    "kid that is a number": (lambda: signed(EC, 7, said()), INVALID),
    "for another audience": (lambda: signed(EC, "ec", said(aud="other")), INVALID),
    "not yet": (lambda: signed(EC, "ec", said(nbf=NOW + 9_000)), INVALID),
    "issued tomorrow": (lambda: signed(EC, "ec", said(iat=NOW + 90_000)), INVALID),
    "expired": (lambda: signed(EC, "ec", said(exp=NOW - 600)), EXPIRED),
    "without an end": (lambda: signed(EC, "ec", said(exp=None)), INVALID),
    "with no account": (lambda: signed(EC, "ec", said(sub=None)), INVALID),
    "with two accounts": (lambda: signed(EC, "ec", said(sub=[CLERK, "lab"])), INVALID),
    "with an empty account": (lambda: signed(EC, "ec", said(sub="")), INVALID),
    "no account of ours": (lambda: signed(EC, "ec", said(sub="nobody-99")), INVALID),
    "of another department": (lambda: signed(EC, "ec", said(sub="gateway-01")), INVALID),
    "without a client": (lambda: signed(EC, "ec", said(client_id=None)), INVALID),
    "bound to a certificate": (lambda: signed(EC, "ec", said(cnf={"x5t#S256": "x"})), INVALID),
    "bound to a key we do not ask": (lambda: signed(EC, "ec", said(cnf={"jkt": "x"})), INVALID),
    "of an issuer nobody named": (lambda: signed(EC, "ec", said(iss="https://x.invalid")), INVALID),
    "in our own issuer's name": (
        lambda: signed(EC, "ec", said(iss="https://demo.invalid")),
        INVALID,
    ),
    "no issuer": (lambda: signed(EC, "ec", said(iss=None)), INVALID),
    "two parts": (lambda: "a.b", INVALID),
    "five parts, encrypted": (lambda: "a.b.c.d.e", INVALID),
    "too long": (lambda: signed(EC, "ec", said(x="x" * 9_000)), INVALID),
}


def _unsigned(algorithm: str) -> str:
    return f"{b64({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'ec'})}.{b64(said())}."


def _confused(key: ECKey | RSAKey, kid: str) -> str:
    """The classic: the public key's own text as the secret of an HMAC."""
    signing = f"{b64({'alg': 'HS256', 'typ': 'at+jwt', 'kid': kid})}.{b64(said())}"
    mac = hmac.digest(key.as_pem(private=False), signing.encode(), "sha256")
    return f"{signing}.{b64(mac)}"


@pytest.mark.parametrize("what", REFUSED)
async def test_every_other_token_is_refused_with_its_reason(two: Two, what: str) -> None:
    make, expected = REFUSED[what]
    answer = await two.door.ask(make(), **PURPOSE)
    assert reason(answer) == expected
    said_why = 'Bearer error="invalid_token"'
    if expected == EXPIRED:
        said_why += ', error_description="expired"'
    assert answer.headers["www-authenticate"] == said_why


async def test_no_token_is_said_apart(two: Two) -> None:
    answer = await two.door.ask(None)
    assert (reason(answer), answer.headers["www-authenticate"]) == (MISSING, "Bearer")


async def test_purposes_are_the_token_s_own_claim_or_its_scope(two: Two) -> None:
    other = signed(EC, "ec", said(purposes=["aid.review"]))
    assert reason(await two.door.ask(other, x_purpose="aid.review")) == OK
    refused = (403, "PURPOSE_REQUIRED", "UNKNOWN")
    assert await two.ask(other) == refused
    assert await two.ask(signed(EC, "ec", said(scope="openid"))) == refused
    assert await two.ask(signed(EC, "ec", said(scope=7))) == INVALID
    assert await two.ask(signed(EC, "ec", said(purposes="aid.file"))) == INVALID


async def test_rotated_keys_are_fetched_the_taken_away_is_refused(
    tmp_path: Path, anyio_backend: str
) -> None:
    new = ECKey.generate_key("P-256", private=True)
    async with publishing(published(EC, "old")) as idp:
        clock = _Clock()
        outsider = Outsider("x", Issuer(ISS, idp.address), AUDIENCE,
                            KeySet(idp.address, clock=clock), time.time)  # fmt: skip
        old = signed(EC, "old", said())
        assert (await outsider.verify(old)).sub == CLERK
        idp.keys = [published(new, "new")]
        clock.at += 60
        assert (await outsider.verify(signed(new, "new", said()))).sub == CLERK
        # What was verified is remembered, but not beyond its key.
        assert await _refused(outsider, old) == "TOKEN_INVALID"
        assert idp.asked == 2
        # The same name for another key: what the old one signed counts no more.
        idp.keys = [published(EC, "new")]
        clock.at += 300
        again = signed(new, "new", said())
        assert (await outsider.verify(again)).sub == CLERK
        await asyncio.sleep(0.2)
        assert await _refused(outsider, again) == "TOKEN_INVALID"


async def test_an_issuer_that_went_away_is_down_after_an_hour_for_known_tokens_too() -> None:
    async with publishing(published(EC, "1")) as idp:
        clock = _Clock()
        outsider = Outsider("x", Issuer(ISS, idp.address), AUDIENCE,
                            KeySet(idp.address, clock=clock), time.time)  # fmt: skip
        token = signed(EC, "1", said(exp=int(time.time()) + 99_999))
        found = await outsider.verify(token)
        assert await outsider.verify(token) is found
        idp.status = 503
        clock.at += KEPT_S - 1
        assert await outsider.verify(token) is found
        clock.at += 1
        assert await _refused(outsider, token) == "ISSUER_DOWN"
        await outsider.close()


async def _refused(outsider: Outsider, token: str) -> str | None:
    with pytest.raises(Unauthenticated) as caught:
        await outsider.verify(token)
    return caught.value.reason


class _Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


async def test_an_issuer_that_is_down_is_said_and_ours_go_on(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with publishing(published(EC, "1")) as idp:
        idp.status = 503
        mine: dict[str, Any] = {"issuers.mca": f"iss={ISS} jwks={idp.address}"}
        async with opened(tmp_path, await prepared(tmp_path), **mine) as door:
            answer = await door.ask(signed(EC, "1", said()), **PURPOSE)
            assert (reason(answer), answer.headers["www-authenticate"]) == (DOWN, "Bearer")
            own = door.hub.tokens.issue(CLERK, ["aid.file"])
            assert reason(await door.ask(own, **PURPOSE)) == OK
            await door.hub.rejects.flush()
            (counted,) = await door.records("REJECTS")
            assert (counted["code"], counted["op"]["vars"]) == ("ISSUER_DOWN", {"count": 1})


async def test_the_account_may_stand_in_another_claim_and_an_issuer_without_a_department(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with publishing(published(EC, "1")) as idp:
        words = f"iss={ISS} jwks={idp.address} aud=county account=emp_no"
        mine: dict[str, Any] = {"issuers.sso": words}
        async with opened(tmp_path, await prepared(tmp_path), **mine) as door:
            claims = said(sub="9f3a", emp_no=SYSTEM, aud="county")
            answer = await door.ask(signed(EC, "1", claims), **PURPOSE)
            assert answer.json()["data"] == {"viewer": {"account": SYSTEM}}
            other = await door.ask(signed(EC, "1", said(emp_no=SYSTEM)), **PURPOSE)
            assert reason(other) == INVALID  # for another audience


async def test_void_tokens_of_an_outside_issuer_are_told_by_when_they_were_issued(
    tmp_path: Path, store_url: str, anyio_backend: str
) -> None:
    store = await prepared(tmp_path, store_url)
    async with publishing(published(EC, "1")) as idp:
        mine: dict[str, Any] = {"issuers.mca": f"iss={ISS} jwks={idp.address}"}
        async with opened(tmp_path, store, **mine) as door:
            now = int(time.time())
            at = {seconds: signed(EC, "1", said(iat=now + seconds, nbf=now - 300))
                  for seconds in (-200, -100, -39, -1)}  # fmt: skip
            for token in at.values():
                assert reason(await door.ask(token, **PURPOSE)) == OK
            own = door.hub.tokens.issue(CLERK, ["aid.file"])
            assert reason(await door.ask(own, **PURPOSE)) == OK
            await changed(store, void_tokens, CLERK, by="x", basis="x", now=now - 100)
            await door.hub.keeper.look()
            found = {s: reason(await door.ask(token, **PURPOSE)) for s, token in at.items()}
            # In the minute after the deed nobody's clock can say which was first.
            assert found == {-200: INVALID, -100: INVALID, -39: OK, -1: OK}
            assert reason(await door.ask(own, **PURPOSE)) == INVALID
            newer = door.hub.tokens.issue(CLERK, ["aid.file"], epoch=1)
            assert reason(await door.ask(newer, **PURPOSE)) == OK
            older = door.hub.tokens.issue(CLERK, ["aid.file"], epoch=0)
            assert reason(await door.ask(older, **PURPOSE)) == INVALID


async def test_a_suspended_account_is_refused_whoever_issued_the_token(
    tmp_path: Path, anyio_backend: str
) -> None:
    store = await prepared(tmp_path)
    async with publishing(published(EC, "1")) as idp:
        mine: dict[str, Any] = {"issuers.mca": f"iss={ISS} jwks={idp.address}"}
        async with opened(tmp_path, store, **mine) as door:
            token = signed(EC, "1", said())
            assert reason(await door.ask(token, **PURPOSE)) == OK
            await changed(store, suspend, CLERK, by="x", basis="x")
            await door.hub.keeper.look()
            assert reason(await door.ask(token, **PURPOSE)) == INVALID


TOKENS = [signed(EC, "ec", said(exp=9_000_000_000)), signed(RSA, "rsa", said(exp=9_000_000_000))]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


@given(
    which=st.sampled_from(TOKENS),
    place=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 8),
    put=st.text(ALPHABET, max_size=8),
)
@settings(max_examples=1_500, deadline=None)
def test_no_mutation_of_a_good_token_is_taken(which: str, place: float, cut: int, put: str) -> None:
    at = int(place * len(which))
    mutated = which[:at] + put + which[at + cut :]
    keys = _Still()
    outsider = Outsider("x", Issuer(ISS, "https://x.invalid"), AUDIENCE, keys, time.time)
    try:
        claims = asyncio.run(outsider.verify(mutated))
    except Unauthenticated:
        return
    # Only what decodes to the very same bytes is the same token.
    assert claims.sub == CLERK
    assert _decoded(mutated) == _decoded(which)


def _decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in token.split(".")]


class _Still(KeySet):
    """Keys that are there already; nothing is fetched."""

    def __init__(self) -> None:
        super().__init__("https://x.invalid")
        body = {"keys": [published(EC, "ec"), published(RSA, "rsa")]}
        self._keys, self._good = read_keys(json.dumps(body).encode()), self._clock()


async def test_mutated_tokens_over_http_are_refused_and_give_no_five(two: Two) -> None:
    dice = random.Random(20)
    good = signed(EC, "ec", said())
    assert await two.ask(good) == OK
    found = set()
    for _ in range(300):
        at, cut = dice.randrange(len(good)), dice.randrange(1, 4)
        put = "".join(dice.choice(ALPHABET) for _ in range(dice.randrange(4)))
        mutated = good[:at] + put + good[at + cut :]
        answer = await two.ask(mutated)
        if answer == OK:
            assert _decoded(mutated) == _decoded(good)
        else:
            found.add(answer)
    assert found <= {INVALID, EXPIRED}
    assert INVALID in found


async def test_a_refused_token_speaks_for_nobody(two: Two) -> None:
    """Its issuer may name its own accounts alone; what it says of others is a word of strangers."""
    before = len(await two.door.records("READ"))
    told = signed(EC, "ec", said(sub="auditor-01"))
    assert (await two.ask(told))[0] == 401
    assert (await two.ask(signed(EC, "ec", said(sub="陆云山-12799990138"))))[0] == 401
    assert len(await two.door.records("READ")) == before
    await two.door.hub.rejects.flush()
    (counted,) = [r for r in await two.door.records("REJECTS") if "TOKEN_INVALID" in str(r)][-1:]
    assert "auditor-01" not in str(counted)
    assert "12799990138" not in str(counted)
