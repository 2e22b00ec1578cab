"""Addresses and certificates are believed from trusted proxies alone, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hub.app import create_app
from hub.identity.oauth import TOKEN
from hub.identity.proxies import read_certificate
from hub.identity.tokens import CERTIFICATE
from store.clients import disable_client
from tests.door import (
    BAD_HEADER,
    CERT_UNKNOWN,
    CLERK,
    GATE,
    INVALID,
    OK,
    SYSTEM,
    Door,
    opened,
    prepared,
    reason,
)

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
SYNC = {"x_purpose": "sync"}


@dataclass(frozen=True)
class Shown:
    """A certificate: as a file, and as a proxy hands it on."""

    pem: bytes
    header: str


def certificate(days: int = 30, since: int = -1) -> Shown:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system.mca.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=since))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    der = base64.b64encode(made.public_bytes(Encoding.DER)).decode()
    return Shown(made.public_bytes(Encoding.PEM), f":{der}:")


MINE, GATES, OTHER = certificate(), certificate(), certificate()
PAST, AHEAD = certificate(-1, since=-9), certificate(9, since=1)


@pytest.fixture(scope="module")
async def behind(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Door]:
    """A hub behind a proxy on this machine; a system and a gateway with certificates."""
    folder = tmp_path_factory.mktemp("behind")
    proxy: dict[str, Any] = {"trusted_proxies": "127.0.0.1 10.0.0.0/8"}
    async with opened(folder, await prepared(folder), **proxy) as door:
        await door.registered("mca-app", cert=MINE.pem)
        await door.registered(
            "gate-app", GATE, kind="gateway", dept="rev", purposes=("sync",), cert=GATES.pem
        )
        for name, shown in (("past-app", PAST), ("ahead-app", AHEAD)):
            await door.registered(name, cert=shown.pem)
        yield door


@pytest.fixture(scope="module")
async def open_(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Door]:
    """The same hub, which trusts no proxy."""
    folder = tmp_path_factory.mktemp("open")
    async with opened(folder, await prepared(folder)) as door:
        await door.registered("mca-app", cert=MINE.pem)
        yield door


async def test_a_certificate_alone_is_its_client(behind: Door) -> None:
    answer = await behind.ask(None, client_cert=MINE.header, **SYNC)
    assert answer.json()["data"] == {"viewer": {"account": SYSTEM}}
    record = (await behind.records("READ"))[-1]
    assert (record["actor"], record["client"]) == (SYSTEM, "mca-app")
    audit = await behind.ask(None, client_cert=MINE.header, x_purpose="audit")
    assert reason(audit) == (403, "PURPOSE_REQUIRED", "UNKNOWN")


async def test_one_nobody_registered_is_unknown_and_counted(behind: Door) -> None:
    answer = await behind.ask(None, client_cert=OTHER.header, **SYNC)
    assert (reason(answer), answer.headers["www-authenticate"]) == (CERT_UNKNOWN, "Bearer")
    clerk = behind.hub.tokens.issue(CLERK, ["aid.file"])
    with_token = await behind.ask(clerk, client_cert=OTHER.header)
    assert reason(with_token) == CERT_UNKNOWN
    await behind.hub.rejects.flush()
    assert "CERT_UNKNOWN" in [r["code"] for r in await behind.records("REJECTS")]


async def test_one_that_is_over_or_not_yet_is_unknown_though_registered(behind: Door) -> None:
    for shown in (PAST, AHEAD):
        assert reason(await behind.ask(None, client_cert=shown.header, **SYNC)) == CERT_UNKNOWN


async def test_from_anybody_else_a_request_with_a_certificate_is_refused(open_: Door) -> None:
    answer = await open_.ask(None, client_cert=MINE.header, **SYNC)
    assert reason(answer) == BAD_HEADER
    clerk = open_.hub.tokens.issue(CLERK, ["aid.file"])
    assert reason(await open_.ask(clerk, client_cert=MINE.header)) == BAD_HEADER
    assert reason(await open_.ask(clerk, client_cert="")) == BAD_HEADER
    assert reason(await open_.ask(clerk, x_forwarded_for="127.0.0.1", client_cert="x"))[0] == 400
    assert (
        await open_.client.get("/readyz", headers={"Client-Cert": MINE.header})
    ).status_code == 400
    await open_.hub.rejects.flush()
    (counted,) = await open_.records("REJECTS")
    assert (counted["code"], counted["ip"], counted["op"]["vars"]) == (
        "HEADER", "127.0.0.1", {"count": 5},
    )  # fmt: skip
    assert await open_.records("READ") == []


async def test_the_inner_name_cannot_be_sent(open_: Door) -> None:
    """A header whose name begins with a colon is no header: the server ends the connection."""
    host, port = open_.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"query": "{ viewer { account } }"}'
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        b"X-Purpose: sync\r\n" + CERTIFICATE + b": x\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
    assert b" 400 " in answer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_what_a_front_before_us_put_there_is_taken_away(open_: Door) -> None:
    """Whatever way the inner name came in, only this hub's own front may write it."""
    transport = httpx.ASGITransport(create_app(open_.hub))
    headers = [(CERTIFICATE, read_header(MINE)), (b"x-purpose", b"sync")]
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        body = {"query": "{ viewer { account } }"}
        answer = await client.post("/graphql", json=body, headers=headers)
    assert reason(answer) == (401, "UNAUTHENTICATED", "TOKEN_MISSING")


def read_header(shown: Shown) -> bytes:
    found = read_certificate(shown.header.encode())
    assert found is not None
    return found.fingerprint.encode()


async def test_a_header_that_is_no_certificate_is_a_bad_header(behind: Door) -> None:
    for text in ("", "x", "::", ":!:", ":AAAA:", MINE.header[:-1], MINE.header[:90] + ":"):
        assert reason(await behind.ask(None, client_cert=text, **SYNC)) == BAD_HEADER, text
    twice = [("Client-Cert", MINE.header)] * 2
    answer = await behind.client.post("/graphql", json={"query": "{a}"}, headers=twice)
    assert reason(answer) == BAD_HEADER


async def test_a_token_bound_to_a_certificate_is_good_with_it_alone(behind: Door) -> None:
    shown = {"Client-Cert": MINE.header}
    auth = ("mca-app", behind.secrets["mca-app"])
    form = {"grant_type": "client_credentials"}
    bound = (await behind.client.post(TOKEN, data=form, auth=auth, headers=shown)).json()
    token = bound["access_token"]
    assert reason(await behind.ask(token, client_cert=MINE.header, **SYNC)) == OK
    assert reason(await behind.ask(token, **SYNC)) == INVALID
    assert reason(await behind.ask(token, client_cert=OTHER.header, **SYNC)) == INVALID
    assert reason(await behind.ask(token, client_cert=GATES.header, **SYNC)) == INVALID
    # Refused again while the good one is remembered: the certificate is part of who asks.
    assert reason(await behind.ask(token, client_cert=MINE.header, **SYNC)) == OK
    assert reason(await behind.ask(token, **SYNC)) == INVALID
    other = await behind.client.post(
        TOKEN, data=form, auth=auth, headers={"Client-Cert": OTHER.header}
    )
    assert (other.status_code, other.json()["error"]) == (401, "invalid_client")
    free = (await behind.client.post(TOKEN, data=form, auth=auth)).json()["access_token"]
    assert reason(await behind.ask(free, **SYNC)) == OK
    assert reason(await behind.ask(free, client_cert=MINE.header, **SYNC)) == OK


async def test_a_gateway_carries_a_person_s_token_and_a_system_does_not(behind: Door) -> None:
    clerk = behind.hub.tokens.issue(CLERK, ["aid.file"])
    answer = await behind.ask(clerk, client_cert=GATES.header)
    assert answer.json()["data"] == {"viewer": {"account": CLERK}}
    record = (await behind.records("READ"))[-1]
    assert (record["actor"], record["client"]) == (CLERK, "gate-app")
    assert reason(await behind.ask(clerk, client_cert=MINE.header)) == INVALID


async def test_a_disabled_or_expired_client_s_certificate_is_unknown(
    tmp_path: Path, store_url: str, anyio_backend: str
) -> None:
    proxy: dict[str, Any] = {"trusted_proxies": "127.0.0.1"}
    store = await prepared(tmp_path, store_url)
    async with opened(tmp_path, store, **proxy) as one, opened(tmp_path, store, **proxy) as two:
        await one.registered("mca-app", cert=MINE.pem)
        await one.registered("old-app", cert=OTHER.pem, until=date(2020, 1, 1))
        await two.hub.keeper.look()
        assert reason(await one.ask(None, client_cert=OTHER.header, **SYNC)) == CERT_UNKNOWN
        for door in (one, two):
            assert reason(await door.ask(None, client_cert=MINE.header, **SYNC)) == OK
        async with one.hub.store.begin() as conn:
            await disable_client(conn, "mca-app", by="tester", basis="停用")
        committed = time.monotonic()
        for door in (one, two):
            while reason(await door.ask(None, client_cert=MINE.header, **SYNC)) == OK:
                assert time.monotonic() - committed < 10
            answer = await door.ask(None, client_cert=MINE.header, **SYNC)
            assert reason(answer) == CERT_UNKNOWN


FORWARDED = [
    ("203.0.113.7", "203.0.113.7"),
    ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # what stands before, anybody wrote
    ("203.0.113.7, 10.1.2.3", "203.0.113.7"),  # a second proxy of ours
    ("2001:db8::1", "2001:db8::1"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ("10.1.2.3", "127.0.0.1"),  # nobody but proxies of ours
    ("203.0.113.7, 陆云山", ""),  # unknown: not the proxy's, which may read more
    ("203.0.113.7, 539922197704129912", ""),
    ("unknown", ""),
    ("unknown, 10.1.2.3", ""),
    ("", "127.0.0.1"),
    ("203.0.113.7, ,", "203.0.113.7"),  # empty members of a list are none (RFC 9110 5.6.1)
]


@pytest.mark.parametrize(("header", "written"), FORWARDED)
async def test_the_last_address_that_is_no_proxy_of_ours_is_written(
    behind: Door, header: str, written: str
) -> None:
    token = behind.hub.tokens.issue(CLERK, ["aid.file"])
    headers = [
        (b"x-forwarded-for", header.encode()),
        (b"authorization", f"Bearer {token}".encode()),
    ]
    body = {"query": "{ viewer { account } }"}
    assert (await behind.client.post("/graphql", json=body, headers=headers)).status_code == 200
    assert (await behind.records("READ"))[-1].get("ip", "") == written


async def test_anybody_else_s_forwarded_address_is_passed_over(open_: Door) -> None:
    token = open_.hub.tokens.issue(CLERK, ["aid.file"])
    assert reason(await open_.ask(token, x_forwarded_for="203.0.113.7")) == OK
    assert (await open_.records("READ"))[-1]["ip"] == "127.0.0.1"
    await open_.ask(None, x_forwarded_for="203.0.113.7")
    await open_.hub.rejects.flush()
    assert (await open_.records("REJECTS"))[-1]["ip"] == "127.0.0.1"
