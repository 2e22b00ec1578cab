"""A key, a passing token, a signature: what a department sees of each."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json

import pytest

from adapters.resilience import Fault
from adapters.web.credential import Signer, signer
from adapters.web.http import Door
from catalog.interface import Credential, Login, TokenDesk
from tests.servers import Asked, http, serving

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

BODY = b'{"gmsfhm": "539922"}'
KEY = "hub:geheim"
TOKEN = Credential(
    Login.TOKEN,
    "accesstoken",
    desk=TokenDesk(
        "/token", {"appid": "$id", "secret": "$secret"}, ("result", "token"), ("result", "life")
    ),
)


async def headers(credential: Credential, key: str | None) -> dict[str, str]:
    door = Door("http://127.0.0.1:9")
    made = signer(credential, key, door, clock=lambda: 1_790_000_000.5)
    assert not made.refused()
    found = dict(await made.headers(BODY))
    await door.close()
    return found


async def test_a_key_goes_along_as_it_is() -> None:
    assert await headers(Credential(Login.HEADER, "appKey"), "k") == {"appKey": "k"}
    bearer = Credential(Login.HEADER, "Authorization", "Bearer ")
    assert await headers(bearer, "k") == {"Authorization": "Bearer k"}


async def test_without_a_key_nothing_goes_along() -> None:
    assert await headers(Credential(Login.HEADER, "appKey"), None) == {}
    assert await headers(Credential(), "k") == {}


async def test_a_signature_is_over_id_time_and_body() -> None:
    found = await headers(
        Credential(Login.SIGNATURE, "sign", id_header="appKey", time_header="timestamp"), KEY
    )
    text = b"hub" + b"1790000000500" + BODY
    signed = hmac.new(b"geheim", text, hashlib.sha256).hexdigest()
    assert found == {"appKey": "hub", "timestamp": "1790000000500", "sign": signed}


class Desk:
    """Gives out T1, T2, … that live `life` seconds."""

    def __init__(self, life: object = "1800") -> None:
        self.given, self._life = 0, life

    async def __call__(self, asked: Asked) -> bytes:
        assert asked.line == "POST /token HTTP/1.1"
        assert json.loads(asked.body) == {"appid": "hub", "secret": "geheim"}
        self.given += 1
        told = {"result": {"token": f"T{self.given}", "life": self._life}}
        return http(200, json.dumps(told).encode())


async def several(made: Signer, calls: int) -> list[str]:
    found = await asyncio.gather(*(made.headers(BODY) for _ in range(calls)))
    return [one["accesstoken"] for one in found]


async def test_a_token_serves_many_calls_until_shortly_before_its_end() -> None:
    now = [1_000.0]
    async with serving(Desk()) as served:
        door = Door(served.address)
        made = signer(TOKEN, KEY, door, clock=lambda: now[0])
        assert await several(made, 20) == ["T1"] * 20
        now[0] += 1769.0
        assert await several(made, 1) == ["T1"]
        now[0] += 1.0  # half a minute before its end
        assert await several(made, 20) == ["T2"] * 20
        assert len(served.asked) == door.calls == 2
        await door.close()


async def test_a_token_that_was_refused_is_had_anew() -> None:
    async with serving(Desk()) as served:
        door = Door(served.address)
        made = signer(TOKEN, KEY, door)
        assert await several(made, 1) == ["T1"]
        assert made.refused()
        assert await several(made, 2) == ["T2", "T2"]
        await door.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b"[]",
        b"<html>",
        b'{"result": {"token": 7, "life": "1800"}}',
        b'{"result": {"token": "T\\r\\nX-Evil: 1", "life": "1800"}}',
        b'{"result": {"token": "T1", "life": "soon"}}',
        b'{"result": {"token": "T1"}}',
    ],
)
async def test_a_desk_that_gives_no_token_is_a_source_that_is_down(answer: bytes) -> None:
    async def broken(_asked: Asked) -> bytes:
        return http(200, answer)

    async with serving(broken) as served:
        door = Door(served.address)
        with pytest.raises(Fault):
            await signer(TOKEN, KEY, door).headers(BODY)
        assert len(served.asked) == 1
        await door.close()
