"""An issuer's keys: taken from one address, bounded, kept for an hour, asked once a minute."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.util import int_to_base64

from catalog.errors import Unauthenticated
from hub.identity.jwks import (
    AGAIN_S,
    DEADLINE_S,
    FRESH_S,
    KEPT_S,
    MAX_BODY,
    KeySet,
    Unreachable,
    public_key,
    read_keys,
)
from tests.idp import published, publishing
from tests.servers import Authority

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
EC = ECKey.generate_key("P-256", private=True)
NEW = ECKey.generate_key("P-256", private=True)
RSA = RSAKey.generate_key(2048, private=True)
DAY = 100_000.0


class Clock:
    def __init__(self) -> None:
        self.at = DAY

    def __call__(self) -> float:
        return self.at


async def down(keys: KeySet, kid: str = "1") -> bool:
    """Is the issuer said to be down?"""
    try:
        await keys.key(kid)
    except Unauthenticated as error:
        return (error.reason, error.status) == ("ISSUER_DOWN", 401)
    return False


async def test_the_algorithm_is_the_keys_own() -> None:
    async with publishing(published(EC, "1"), published(RSA, "2")) as idp:
        keys = KeySet(idp.address)
        found = [await keys.key("1"), await keys.key("2")]
        assert [k.algorithm for k in found if k] == ["ES256", "RS256"]
        assert idp.asked == 1


async def test_an_unknown_key_is_asked_for_once_a_minute() -> None:
    clock = Clock()
    async with publishing(published(EC, "1")) as idp:
        keys = KeySet(idp.address, clock=clock)
        assert await keys.key("1") is not None
        clock.at += AGAIN_S - 1
        assert [await keys.key(f"x{n}") for n in range(50)] == [None] * 50
        assert idp.asked == 1
        idp.keys = [published(EC, "1"), published(NEW, "2")]
        clock.at += 1
        assert await keys.key("2") is not None
        assert idp.asked == 2


async def test_many_at_once_ask_once() -> None:
    async with publishing(published(EC, "1")) as idp:
        idp.wait_s = 0.1
        keys = KeySet(idp.address)
        found = await asyncio.gather(*(keys.key("1") for _ in range(20)))
        assert (len({id(k) for k in found}), idp.asked) == (1, 1)


async def test_a_key_that_was_taken_away_is_gone_after_five_minutes() -> None:
    clock = Clock()
    async with publishing(published(EC, "1")) as idp:
        keys = KeySet(idp.address, clock=clock)
        assert await keys.key("1") is not None
        idp.keys = [published(NEW, "2")]
        clock.at += FRESH_S
        assert await keys.key("1") is not None  # once more, while it is asked
        await _settled(keys)
        assert (await keys.key("1"), idp.asked) == (None, 2)


async def test_the_last_good_keys_serve_an_hour_and_not_longer() -> None:
    clock = Clock()
    async with publishing(published(EC, "1")) as idp:
        keys = KeySet(idp.address, clock=clock)
        assert await keys.key("1") is not None
        idp.status = 500
        clock.at += KEPT_S - 1
        assert await keys.key("1") is not None
        await _settled(keys)
        assert idp.asked == 2
        clock.at += 1
        assert await down(keys)
        idp.status = 200
        assert await down(keys)  # it was asked a second ago
        clock.at += AGAIN_S
        assert await keys.key("1") is not None


async def _settled(keys: KeySet) -> None:
    assert keys._fetching is not None
    await keys._fetching


async def test_a_fetch_is_bounded_in_time_and_does_not_hold_up_who_has_a_key() -> None:
    clock = Clock()
    async with publishing(published(EC, "1")) as idp:
        keys = KeySet(idp.address, clock=clock)
        assert await keys.key("1") is not None
        idp.wait_s = 60
        clock.at += FRESH_S
        async with asyncio.timeout(1):
            assert await keys.key("1") is not None
        await keys.close()
    assert DEADLINE_S == 5


async def test_an_issuer_that_never_answers_is_down() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/jwks"
    assert await down(KeySet(address))
    async with publishing(published(EC, "1")) as idp:
        idp.wait_s = DEADLINE_S + 5
        begun = asyncio.get_running_loop().time()
        assert await down(KeySet(idp.address))
        assert DEADLINE_S <= asyncio.get_running_loop().time() - begun < DEADLINE_S + 3


async def test_a_redirect_is_not_followed_and_a_large_body_not_read() -> None:
    async with publishing(published(EC, "1")) as good, publishing() as idp:
        idp.status, idp.headers = 302, {"Location": good.address}
        assert await down(KeySet(idp.address))
        idp.status, idp.headers = 200, {}
        whole = json.dumps({"keys": [published(EC, "1")]}).encode()
        idp.body = whole + b" " * (MAX_BODY - len(whole))
        assert not await down(KeySet(idp.address))
        idp.body += b" "
        assert await down(KeySet(idp.address))
        assert good.asked == 0


async def test_https_is_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with publishing(published(EC, "1"), tls=authority.context()) as idp:
        assert await down(KeySet(idp.address))  # nobody the machine knows
        assert not await down(KeySet(idp.address, authority.file))
    async with publishing(published(EC, "1"), tls=authority.context(host="127.0.0.2")) as idp:
        assert await down(KeySet(idp.address, authority.file))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null, "x", {}]}',
        b"\xff",
        b"[" * 5_000,
        json.dumps({"keys": [published(EC, "1")] * 2}).encode(),
        json.dumps({"keys": [published(EC, "1"), published(NEW, "1")]}).encode(),
        json.dumps({"keys": [published(EC, str(n)) for n in range(33)]}).encode(),
        json.dumps({"keys": [EC.as_dict(private=False, kid=7)]}).encode(),
    ],
)
def test_what_holds_no_usable_key_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unreachable):
        read_keys(body)


@pytest.mark.parametrize(
    "jwk",
    [
        OctKey.generate_key(256).as_dict(private=True),
        EC.as_dict(private=True),
        RSA.as_dict(private=True),
        RSAKey.import_key(RSA.as_dict(private=False)).as_dict() | {"alg": "PS256"},
        published(EC, "1", alg="RS256"),
        published(EC, "1", alg="HS256"),
        published(EC, "1", use="enc"),
        published(EC, "1", key_ops=["sign"]),
        published(EC, "1", key_ops="verify"),
        published(EC, "1", x="AAAA"),
        published(EC, "1", crv="P-384"),
        ECKey.generate_key("P-384").as_dict(private=False),
        ECKey.generate_key("secp256k1").as_dict(private=False),
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "x",
        None,
    ],
)
def test_no_other_key_is_taken(jwk: Any) -> None:
    assert public_key(jwk) is None


def test_a_short_rsa_key_is_not_taken() -> None:
    made = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    words = {"kty": "RSA", "n": int_to_base64(made.n), "e": int_to_base64(made.e)}
    assert public_key(words) is None
    assert public_key(RSA.as_dict(private=False)) is not None


def test_a_name_given_twice_leaves_the_others() -> None:
    body = {"keys": [published(EC, "1"), published(NEW, "1"), published(RSA, "2")]}
    assert [*read_keys(json.dumps(body).encode())] == ["2"]


def test_what_is_taken_of_a_key_are_its_own_numbers() -> None:
    shown = published(EC, "1", x5u="https://evil.invalid", x5c=["rubbish"])
    found = public_key(shown)
    assert found is not None
    assert {"x5u", "x5c"} & found.key.as_dict(private=False).keys() == set()
