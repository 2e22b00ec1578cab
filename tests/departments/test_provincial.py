"""examples/departments/provincial.py: one person a call, signed, so many a day."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.departments.conftest import Ask, Serve

pytestmark = pytest.mark.loopback

PROGRAM, SOURCE = "provincial", "sj_exchange"
AT_ONCE = ("--delay", "0")
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def client(serve: Serve) -> Iterator[httpx.Client]:
    with serve(PROGRAM, SOURCE, *AT_ONCE, "--quota", "100000") as found:
        yield found


def signed(body: bytes, timestamp: str, secret: str = "demo", key: str = "demo") -> dict[str, str]:
    sign = hmac.new(secret.encode(), (key + timestamp).encode() + body, hashlib.sha256)
    return {"appKey": key, "timestamp": timestamp, "sign": sign.hexdigest()}


def now_ms(shift: int = 0) -> str:
    return str(int(time.time() * 1000) + shift)


def call(client: httpx.Client, content: Any, service: str = "hjhc") -> dict[str, Any]:
    body = json.dumps(content).encode()
    return posted(client, body, signed(body, now_ms()), service)


def posted(
    client: httpx.Client, body: bytes, headers: dict[str, str], service: str = "hjhc"
) -> dict[str, Any]:
    """The envelope, which is always of HTTP 200."""
    answer = client.post(f"/exchange/{service}", content=body, headers=headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert set(found) == {"code", "message", "data"}
    return found


def test_its_answers_are_the_rows_of_its_file(client: httpx.Client, rows: Ask) -> None:
    every = rows(SOURCE, "SELECT * FROM hjhc WHERE gmsfhm IS NOT NULL ORDER BY rowid")
    often = Counter(row["gmsfhm"] for row in every)
    some = [row for row in every if often[row["gmsfhm"]] == 1][::20]
    gone = [row for row in every if row["zxrq"] and often[row["gmsfhm"]] == 1][:5]
    assert len(some) > 200
    assert len(gone) == 5
    for row in some + gone:
        answer = call(client, {"gmsfhm": row["gmsfhm"]})
        assert answer == {"code": "0000", "message": "", "data": [row]}
        assert {row["hyzk"], row["bdc"]} <= {"是", "否"}


def test_who_is_not_known_has_no_row(client: httpx.Client, nobody: str) -> None:
    assert call(client, {"gmsfhm": nobody}) == {"code": "0000", "message": "", "data": []}


@pytest.mark.parametrize(
    ("content", "service"),
    [
        ({"gmsfhm": "1,2"}, "hjhc"),
        ({"gmsfhm": ["1", "2"]}, "hjhc"),
        ({"gmsfhm": ""}, "hjhc"),
        ({}, "hjhc"),
        ([], "hjhc"),
        ({"gmsfhm": "1"}, "hyxx"),
    ],
)
def test_what_it_does_not_take_fails_with_http_200(
    client: httpx.Client, content: Any, service: str
) -> None:
    answer = call(client, content, service)
    assert (answer["code"], answer["data"]) == ("4000", [])
    assert answer["message"]


def test_a_wrong_signature_is_refused(client: httpx.Client, rows: Ask) -> None:
    number = rows(SOURCE, "SELECT gmsfhm FROM hjhc WHERE gmsfhm IS NOT NULL LIMIT 1")[0]["gmsfhm"]
    body, at = json.dumps({"gmsfhm": number}).encode(), now_ms()
    good = signed(body, at)
    for bad in (
        {},
        good | {"sign": ""},
        good | {"sign": "0" * 64},
        good | {"sign": good["sign"].upper()},
        good | {"appKey": "other"},
        good | {"timestamp": str(int(at) + 1)},
        signed(body, at, secret="other"),
        signed(body, at, key="other"),
        signed(body + b" ", at),
        signed(body, "now"),
        signed(body, ""),
        signed(body, "-" + at),
    ):
        answer = posted(client, body, bad)
        assert (answer["code"], answer["data"]) == ("4010", []), bad
    assert len(posted(client, body, good)["data"]) == 1


@pytest.mark.parametrize(
    ("shift", "code"),
    [(-6, "4010"), (-3, "0000"), (3, "0000"), (8, "4010")],
)
def test_a_signature_holds_for_five_minutes(
    client: httpx.Client, nobody: str, shift: int, code: str
) -> None:
    body = json.dumps({"gmsfhm": nobody}).encode()
    at = now_ms(shift * MINUTE_MS)
    assert posted(client, body, signed(body, at))["code"] == code


def test_the_five_minutes_are_exact(module: Callable[[str], ModuleType]) -> None:
    provincial = module(PROGRAM)
    signer = provincial.Signer("demo", "demo", now=lambda: 1_000_000.0)
    for shift, taken in ((-300_001, False), (-300_000, True), (300_000, True), (300_001, False)):
        headers = signed(b"{}", str(1_000_000_000 + shift))
        given = {name.lower(): value for name, value in headers.items()}
        if taken:
            signer.check(given, b"{}")
        else:
            with pytest.raises(provincial.Refused) as refused:
                signer.check(given, b"{}")
            assert refused.value.code == "4010"


def test_a_days_calls_are_counted(serve: Serve, nobody: str) -> None:
    with serve(PROGRAM, SOURCE, *AT_ONCE, "--quota", "3") as client:
        body = json.dumps({"gmsfhm": nobody}).encode()
        strangers = [posted(client, body, {})["code"] for _ in range(5)]
        codes = [call(client, {"gmsfhm": nobody})["code"] for _ in range(5)]
    assert strangers == ["4010"] * 5  # who did not sign uses nothing up
    assert codes == ["0000"] * 3 + ["4290"] * 2


def test_the_count_begins_anew_at_midnight_in_beijing(module: Callable[[str], ModuleType]) -> None:
    provincial, at = module(PROGRAM), [0.0]
    midnight = 1_793_462_400.0  # 2026-11-01T00:00+08:00
    quota = provincial.Quota(1, now=lambda: at[0])
    at[0] = midnight - 1
    quota.take()
    with pytest.raises(provincial.Refused) as refused:
        quota.take()
    assert refused.value.code == "4290"
    at[0] = midnight
    quota.take()


def test_each_answer_takes_its_time(serve: Serve, nobody: str) -> None:
    with serve(PROGRAM, SOURCE, "--delay", "0.3") as client:
        before = time.monotonic()
        assert call(client, {"gmsfhm": nobody})["code"] == "0000"
        assert time.monotonic() - before >= 0.3
