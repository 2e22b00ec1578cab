"""The embedded issuer over real HTTP: who gets a token, what it is good for, what is recorded."""

from __future__ import annotations

import asyncio
import base64
import hmac
import io
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry
from sqlalchemy import func, select, update

from hub.identity.oauth import INTROSPECT, JWKS, METADATA, REVOKE, TOKEN, _bucket, form_of, named
from hub.identity.tokens import TTL_S
from hub.telemetry import logs
from store.accounts import suspend, void_tokens
from store.clients import (
    FAILURES,
    RECORDED,
    Failures,
    client,
    disable_client,
    sign_in_failure,
    used_assertion,
)
from tests.door import CLERK, GATE, INVALID, OK, SYSTEM, Door, opened, prepared, reason

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
NAME = "mca-app"
ISSUER = "https://demo.invalid"
EC = ECKey.generate_key("P-256", private=True)
RSA = RSAKey.generate_key(2048, private=True)
GRANT = {"grant_type": "client_credentials"}
ASSERTED = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
async def door(tmp_path: Path, store_url: str, anyio_backend: str) -> AsyncIterator[Door]:
    """A hub with one client that has a secret and an EC key, on both databases."""
    store = await prepared(tmp_path, store_url)
    async with opened(tmp_path, store) as made:
        await made.registered(NAME, key=EC.as_pem(private=False))
        yield made


@pytest.fixture
async def lite(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Door]:
    """The same on SQLite alone, for what does not depend on the store."""
    async with opened(tmp_path, await prepared(tmp_path)) as made:
        await made.registered(NAME, key=EC.as_pem(private=False))
        yield made


def asserted(key: Any = EC, **over: Any) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": NAME,
        "sub": NAME,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    }
    claims = {k: v for k, v in (claims | over).items() if v is not None}
    algorithm = "ES256" if key.key_type == "EC" else "RS256"
    return jwt.encode({"alg": algorithm}, claims, key)


async def token(door: Door, /, **form: str) -> httpx.Response:
    return await door.client.post(TOKEN, data=GRANT | form)


async def by_secret(door: Door, secret: str | None = None, **form: str) -> httpx.Response:
    known = door.secrets[NAME] if secret is None else secret
    return await door.client.post(TOKEN, data=GRANT | form, auth=(NAME, known))


async def by_key(door: Door, assertion: str) -> httpx.Response:
    return await token(door, client_assertion_type=ASSERTED, client_assertion=assertion)


async def granted(door: Door) -> str:
    answer = await by_secret(door)
    assert answer.status_code == 200
    found: str = answer.json()["access_token"]
    return found


def said(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("error")


async def test_a_secret_gives_a_token_that_lets_the_bound_account_in(door: Door) -> None:
    answer = await by_secret(door)
    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["pragma"] == "no-cache"
    assert {k: v for k, v in body.items() if k != "access_token"} == {
        "token_type": "Bearer",
        "expires_in": TTL_S,
        "scope": "sync report",
    }
    asked = await door.ask(body["access_token"], x_purpose="sync")
    assert asked.json()["data"] == {"viewer": {"account": SYSTEM}}
    (record,) = await door.records("READ")
    assert (record["actor"], record["client"], record["purpose"]) == (SYSTEM, NAME, "sync")
    (signed,) = await door.records("SIGN_IN")
    named = {k: signed[k] for k in ("actor", "client", "org", "ip", "outcome", "op")}
    assert named == {
        "actor": SYSTEM,
        "client": NAME,
        "org": "mca",
        "ip": "127.0.0.1",
        "outcome": "OK",
        "op": {
            "name": "token",
            "type": "oauth",
            "vars": {"auth": "client_secret_basic", "certificate": False},
        },
    }
    assert signed["request"] == answer.headers["x-request-id"]


async def test_a_token_is_what_rfc_9068_says(lite: Door) -> None:
    issued = await granted(lite)
    head, body = (json.loads(_part(p)) for p in issued.split(".")[:2])
    assert head == {"alg": "ES256", "typ": "at+jwt", "kid": lite.hub.keys.issuer.thumbprint()}
    assert {k: body[k] for k in ("iss", "aud", "sub", "client_id", "scope", "purposes")} == {
        "iss": ISSUER,
        "aud": "data-sharing-hub",
        "sub": SYSTEM,
        "client_id": NAME,
        "scope": "sync report",
        "purposes": ["sync", "report"],
    }
    assert body["exp"] - body["iat"] == TTL_S == 600
    key = ECKey.import_key((await lite.client.get(JWKS)).json()["keys"][0])
    assert not key.is_private
    assert jwt.decode(issued, key, algorithms=["ES256"]).claims["jti"] == body["jti"]


def _part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_the_library_s_own_client_gets_tokens_in_all_three_ways(lite: Door) -> None:
    url, secret, form = lite.url + TOKEN, lite.secrets[NAME], "grant_type=client_credentials"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for method in ("client_secret_basic", "client_secret_post"):
        _, headers, body = ClientAuth(NAME, secret, method).prepare("POST", url, {}, form)
        answer = await lite.client.post(url, content=body, headers=kind | headers)
        assert reason(await lite.ask(answer.json()["access_token"], x_purpose="sync")) == OK
    assertion = private_key_jwt_sign(EC, NAME, ISSUER + TOKEN, "ES256")
    answer = await by_key(lite, assertion)
    assert reason(await lite.ask(answer.json()["access_token"], x_purpose="sync")) == OK
    methods = [r["op"]["vars"]["auth"] for r in await lite.records("SIGN_IN")]
    assert methods == ["client_secret_basic", "client_secret_post", "private_key_jwt"]


async def test_a_signed_assertion_is_taken_once(door: Door) -> None:
    assertion = asserted()
    answers = await asyncio.gather(*(by_key(door, assertion) for _ in range(3)))
    assert sorted(said(a) for a in answers) == [
        (200, None),
        (401, "invalid_client"),
        (401, "invalid_client"),
    ]
    async with door.hub.store.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(used_assertion)) == 1


async def test_another_worker_refuses_an_assertion_that_one_has_taken(
    tmp_path: Path, store_url: str, anyio_backend: str
) -> None:
    store = await prepared(tmp_path, store_url)
    async with opened(tmp_path, store) as one, opened(tmp_path, store) as other:
        await one.registered(NAME, key=EC.as_pem(private=False))
        assertion = asserted()
        assert said(await by_key(one, assertion)) == (200, None)
        assert said(await by_key(other, assertion)) == (401, "invalid_client")
        assert said(await by_key(other, asserted())) == (200, None)


ASSERTIONS: Mapping[str, Mapping[str, Any]] = {
    "of another key": {"key": ECKey.generate_key("P-256", private=True)},
    "of an RSA key, for one that is EC": {"key": RSA},
    "for another issuer": {"aud": "https://other.invalid"},
    "expired": {"exp": 1_000_000_000},
    "living too long": {"exp": 9_000_000_000},
    "without an end": {"exp": None},
    "without a jti": {"jti": None},
    "with a jti that is no text": {"jti": 7},
    "with an endless jti": {"jti": "x" * 300},
    "of another client's name": {"sub": "other-app", "iss": "other-app"},
    "issued by somebody else": {"iss": "other-app"},
    "not yet": {"nbf": 9_000_000_000},
}


@pytest.mark.parametrize("what", ASSERTIONS)
async def test_an_assertion_that_is_not_in_order_is_refused(lite: Door, what: str) -> None:
    over = dict(ASSERTIONS[what])
    refused = await by_key(lite, asserted(over.pop("key", EC), **over))
    assert said(refused) == (401, "invalid_client")


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES256", "jku": "https://evil.invalid"},
        {"alg": "ES256", "crit": ["x"], "x": 1},
        {"alg": "ES256", "jwk": EC.as_dict(private=False)},
    ],
)
async def test_an_assertion_whose_header_brings_a_demand_is_refused(
    lite: Door, header: dict[str, Any]
) -> None:
    claims = {"iss": NAME, "sub": NAME, "aud": ISSUER, "exp": int(time.time()) + 60, "jti": "1"}
    head, body = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=")
                  for p in (header, claims))  # fmt: skip
    signature = ""
    if header["alg"] == "HS256":
        secret = EC.as_pem(private=False)
        mac = hmac.digest(secret, f"{head}.{body}".encode(), "sha256")
        signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    elif header["alg"] == "ES256":
        raw = JWSRegistry.algorithms["ES256"].sign(f"{head}.{body}".encode(), EC)
        signature = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert said(await by_key(lite, f"{head}.{body}.{signature}")) == (401, "invalid_client")


async def test_every_wrong_request_has_its_error_and_never_a_five(lite: Door) -> None:
    post, secret = lite.client.post, lite.secrets[NAME]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    mine = (NAME, secret)
    broken = {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()}
    tried = [
        (await lite.client.get(TOKEN), 405, "invalid_request"),
        (await post(TOKEN, json=GRANT, auth=mine), 415, "invalid_request"),
        (await post(TOKEN, content=b"x" * 20_000, headers=form), 413, "invalid_request"),
        (await post(TOKEN, content=b"a=1&a=2", headers=form), 400, "invalid_request"),
        (await post(TOKEN, content=b"\xff", headers=form), 400, "invalid_request"),
        (await post(TOKEN, data=GRANT | {"client_secret": "x"}, auth=mine), 400, "invalid_request"),
        (await post(TOKEN, data={"grant_type": "password"}, auth=mine), 400,
         "unsupported_grant_type"),
        (await post(TOKEN, data=GRANT | {"scope": "audit"}, auth=mine), 400, "invalid_scope"),
        (await post(TOKEN, data=GRANT, headers=broken), 401, "invalid_client"),
        (await post(TOKEN, data=GRANT, headers={"Authorization": "Basic ?"}), 401,
         "invalid_client"),
        (await post(TOKEN, data=GRANT), 401, "invalid_client"),
        (await by_key(lite, "a.b.c"), 401, "invalid_client"),
        (await by_key(lite, "e30." + "W1tb" * 2_000 + ".x"), 401, "invalid_client"),
    ]  # fmt: skip
    assert [said(answer) for answer, *_ in tried] == [(s, e) for _, s, e in tried]
    for answer, status, _ in tried:
        assert secret not in answer.text
        assert ("www-authenticate" in answer.headers) is (status == 401)


async def test_a_failure_of_a_known_client_is_recorded_and_strangers_are_counted(
    lite: Door,
) -> None:
    assert said(await by_secret(lite, "wrong")) == (401, "invalid_client")
    (record,) = await lite.records("SIGN_IN")
    assert (record["outcome"], record["code"], record["client"]) == (
        "DENIED",
        "invalid_client",
        NAME,
    )
    for _ in range(2):
        answer = await lite.client.post(TOKEN, data=GRANT, auth=("nobody-app", "x.y"))
        assert said(answer) == (401, "invalid_client")
    await lite.hub.rejects.flush()
    (counted,) = await lite.records("REJECTS")
    assert (counted["code"], counted["op"]["vars"]) == ("INVALID_CLIENT", {"count": 2})
    assert len(await lite.records("SIGN_IN")) == 1


async def test_whoever_guesses_waits_and_nobody_else(door: Door) -> None:
    name = door.secrets[NAME].partition(".")[0]  # the secret's id: as dear as a guess can be
    for _ in range(FAILURES):
        assert said(await by_secret(door, f"{name}.guess")) == (401, "invalid_client")
    answer = await by_secret(door)  # even the right secret, at this address
    assert said(answer) == (429, "temporarily_unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert len(await door.records("SIGN_IN")) == FAILURES
    await door.registered("other-app", key=RSA.as_pem(private=False))
    other = await door.client.post(TOKEN, data=GRANT, auth=("other-app", door.secrets["other-app"]))
    assert other.status_code == 200
    async with door.hub.store.connect() as conn:
        columns = (sign_in_failure.c.client_id, sign_in_failure.c.address)
        rows = (await conn.execute(select(*columns).distinct())).all()
    assert [tuple(row) for row in rows] == [(NAME, "127.0.0.1")]


async def test_a_disabled_client_is_refused_at_once_by_two_workers(
    tmp_path: Path, store_url: str, anyio_backend: str
) -> None:
    store = await prepared(tmp_path, store_url)
    async with opened(tmp_path, store) as one, opened(tmp_path, store) as other:
        await one.registered(NAME)
        other.secrets[NAME] = one.secrets[NAME]
        issued = await granted(one)
        assert [reason(await d.ask(issued, x_purpose="sync")) for d in (one, other)] == [OK, OK]
        async with one.hub.store.begin() as conn:
            await disable_client(conn, NAME, by="tester", basis="泄露")
        committed = last = time.monotonic()
        waiting = [one, other]
        while waiting:
            for door in tuple(waiting):
                asked = time.monotonic()
                answer = reason(await door.ask(issued, x_purpose="sync"))
                if answer == OK:
                    last = asked
                else:
                    assert answer == INVALID
                    waiting.remove(door)
            assert time.monotonic() - committed < 10
        assert last - committed <= 1.0
        assert [said(await by_secret(d)) for d in (one, other)] == [(401, "invalid_client")] * 2


async def test_a_suspended_account_s_client_gets_no_token(lite: Door) -> None:
    issued = await granted(lite)
    async with lite.hub.store.begin() as conn:
        await suspend(conn, SYSTEM, by="tester", basis="停用")
    await lite.hub.keeper.look()
    assert reason(await lite.ask(issued, x_purpose="sync")) == INVALID
    assert said(await by_secret(lite)) == (401, "invalid_client")


async def test_void_tokens_are_refused_and_the_next_one_is_good(door: Door) -> None:
    issued = await granted(door)
    assert reason(await door.ask(issued, x_purpose="sync")) == OK
    async with door.hub.store.begin() as conn:
        now = int(time.time())
        await void_tokens(conn, SYSTEM, by="tester", basis="泄露", now=now)
    await door.hub.keeper.look()
    assert reason(await door.ask(issued, x_purpose="sync")) == INVALID
    assert reason(await door.ask(await granted(door), x_purpose="sync")) == OK


async def test_a_purpose_taken_from_the_client_is_taken_from_its_tokens(lite: Door) -> None:
    issued = await granted(lite)
    async with lite.hub.store.begin() as conn:
        await conn.execute(update(client).values(purposes="sync"))
    assert reason(await lite.ask(issued, x_purpose="report")) == (
        403, "PURPOSE_REQUIRED", "UNKNOWN",
    )  # fmt: skip
    assert reason(await lite.ask(issued, x_purpose="sync")) == OK


async def test_a_revoked_token_is_refused_within_a_second_and_only_by_its_client(
    door: Door,
) -> None:
    issued, kept = await granted(door), await granted(door)
    other = await door.registered("other-app", key=RSA.as_pem(private=False))
    stranger = await door.client.post(REVOKE, data={"token": issued}, auth=("other-app", other))
    assert said(stranger) == (400, "invalid_grant")
    assert reason(await door.ask(issued, x_purpose="sync")) == OK
    mine = (NAME, door.secrets[NAME])
    answer = await door.client.post(REVOKE, data={"token": issued}, auth=mine)
    assert (answer.status_code, answer.json()) == (200, {})
    await asyncio.sleep(1.1)
    assert reason(await door.ask(issued, x_purpose="sync")) == INVALID
    assert reason(await door.ask(kept, x_purpose="sync")) == OK
    unknown = await door.client.post(REVOKE, data={"token": "rubbish"}, auth=mine)
    assert (unknown.status_code, unknown.json()) == (200, {})  # RFC 7009 2.2
    names = [r["op"]["name"] for r in await door.records("SIGN_IN")]
    assert names == ["token", "token", "revocation", "revocation", "revocation"]


async def test_a_system_is_told_of_its_own_tokens_and_a_gateway_of_all(lite: Door) -> None:
    issued = await granted(lite)
    person = lite.hub.tokens.issue(CLERK, ["aid.file"])
    other = await lite.registered("other-app", key=RSA.as_pem(private=False))
    gate = await lite.registered("gate-app", GATE, kind="gateway", dept="rev")

    async def told(text: str, name: str, secret: str) -> dict[str, Any]:
        answer = await lite.client.post(INTROSPECT, data={"token": text}, auth=(name, secret))
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    own = await told(issued, NAME, lite.secrets[NAME])
    assert {k: own[k] for k in ("active", "sub", "client_id", "scope", "token_type")} == {
        "active": True,
        "sub": SYSTEM,
        "client_id": NAME,
        "scope": "sync report",
        "token_type": "Bearer",
    }
    assert own["exp"] - own["iat"] == TTL_S
    no = {"active": False}
    assert await told(issued, "other-app", other) == no
    assert await told(person, NAME, lite.secrets[NAME]) == no
    assert (await told(person, "gate-app", gate))["sub"] == CLERK
    assert await told("rubbish", "gate-app", gate) == no
    await lite.client.post(REVOKE, data={"token": issued}, auth=(NAME, lite.secrets[NAME]))
    assert await told(issued, "gate-app", gate) == no
    unknown = await lite.client.post(INTROSPECT, data={"token": issued})
    assert said(unknown) == (401, "invalid_client")


async def test_the_metadata_is_valid_and_names_what_is_there(
    tmp_path: Path, anyio_backend: str
) -> None:
    base = "https://hub.example.invalid"
    given: dict[str, Any] = {"issuer": base, "oauth.url": base}
    async with opened(tmp_path, await prepared(tmp_path), **given) as door:
        told = (await door.client.get(METADATA)).json()
        told |= {"response_types_supported": ["none"]}  # it demands one; we have none
        AuthorizationServerMetadata(told).validate()
        assert told["issuer"] == base
        for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
            path = told[name].removeprefix(base)
            assert (await door.client.post(path, data=GRANT)).status_code == 401
        keys = (await door.client.get(told["jwks_uri"].removeprefix(base))).json()["keys"]
        assert [sorted(key) for key in keys] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]
        assert (await door.client.post(METADATA)).status_code == 405


async def test_where_it_is_off_there_is_nothing(tmp_path: Path, anyio_backend: str) -> None:
    off: dict[str, Any] = {"oauth.enabled": False}
    async with opened(tmp_path, await prepared(tmp_path), **off) as door:
        for path in (TOKEN, REVOKE, INTROSPECT, JWKS, METADATA):
            assert (await door.client.post(path, data=GRANT)).status_code == 404


async def test_no_token_leaves_without_its_record(tmp_path: Path, anyio_backend: str) -> None:
    async with opened(tmp_path, await prepared(tmp_path)) as door:
        await door.registered(NAME)
        door.hub.log.halt("a test")
        answer = await by_secret(door)
        assert said(answer) == (503, "temporarily_unavailable")
        assert "access_token" not in answer.text


async def test_no_secret_token_or_assertion_is_in_any_log(lite: Door) -> None:
    stream, handlers = io.StringIO(), logging.root.handlers[:]
    level = logging.root.level
    logs.configure("DEBUG", stream)
    try:
        issued = await granted(lite)
        assertion = asserted()
        assert said(await by_key(lite, assertion)) == (200, None)
        assert said(await by_key(lite, assertion)) == (401, "invalid_client")
        wrong = lite.secrets[NAME][:-1] + "_"
        assert said(await by_secret(lite, wrong)) == (401, "invalid_client")
        revoked = await lite.client.post(
            REVOKE, data={"token": issued}, auth=(NAME, lite.secrets[NAME])
        )
        assert revoked.status_code == 200
        logging.getLogger("hub.test").debug("the log is on")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()
    text = stream.getvalue()
    assert "the log is on" in text
    for hidden in (lite.secrets[NAME], wrong, *issued.split("."), *assertion.split(".")[1:]):
        assert hidden not in text
    records = json.dumps([await lite.records(kind) for kind in ("SIGN_IN", "REJECTS")])
    for hidden in (lite.secrets[NAME], wrong, issued.split(".")[2], assertion.split(".")[2]):
        assert hidden not in records


def test_a_form_names_each_field_once() -> None:
    assert form_of(b"a=1&b=%E6%B0%91") == {"a": "1", "b": "民"}
    assert form_of(b"") == {}


def test_whom_a_request_says_it_comes_from() -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(b"app%2D1:x").decode()}
    assert named({}, basic) == "app-1"
    assert named({"client_id": "app-2"}, {}) == "app-2"
    assert named({"client_assertion": asserted()}, {}) == NAME
    assert named({"client_assertion": "x"}, {}) == ""
    assert named({}, {}) == ""


async def test_a_flood_of_wrong_secrets_is_counted_and_not_written_out(door: Door) -> None:
    """Each address has its own ten tries, the log has thirty records of a client in all."""
    failures = Failures(door.hub.store)
    for number in range(RECORDED):
        assert await failures.add(NAME, f"10.0.0.{number}") == number + 1
    answer = await by_secret(door, f"{door.secrets[NAME].partition('.')[0]}.guess")
    assert said(answer) == (401, "invalid_client")
    assert await door.records("SIGN_IN") == []
    await door.hub.rejects.flush()
    (counted,) = await door.records("REJECTS")
    assert (counted["code"], counted["op"]["vars"]) == ("INVALID_CLIENT", {"count": 1})


async def test_old_failures_are_removed_by_new_ones(door: Door) -> None:
    long_ago = Failures(door.hub.store, lambda: 1_000_000.0)
    assert await long_ago.add(NAME, "10.0.0.1") == 1
    assert await Failures(door.hub.store).add(NAME, "10.0.0.2") == 1


def test_of_ipv6_a_subscribers_network_is_one_address() -> None:
    assert _bucket("2001:db8:1:2::17") == _bucket("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert (_bucket("10.0.0.1"), _bucket("")) == ("10.0.0.1", "")
