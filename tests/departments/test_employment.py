"""examples/departments/employment.py: envelope, token, pages, limits, the closed hours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest

from hub.demo.county import County
from tests.departments.conftest import PATIENT_S, Ask, Serve, started

pytestmark = pytest.mark.loopback

PROGRAM, SOURCE = "employment", "rs_jiuye"
FREELY = ("--per-second", "1000000")
TABLES = ("ac01", "qzdj", "pxbm")


@pytest.fixture(scope="module")
def client(serve: Serve) -> Iterator[httpx.Client]:
    """The program without a limit of requests, and a token for it."""
    with serve(PROGRAM, SOURCE, *FREELY) as found:
        found.headers["accesstoken"] = token(found)
        yield found


def token(client: httpx.Client) -> str:
    answer = client.post("/rsrest/token", json={"appid": "demo", "secret": "demo"}).json()
    assert (answer["appcode"], answer["result"]["expires_in"]) == ("0", "1800")
    return str(answer["result"]["token"])


def call(client: httpx.Client, service: str, numbers: list[str], **more: Any) -> dict[str, Any]:
    """The envelope, which is always of HTTP 200."""
    body = {"params": {"aac002": ",".join(numbers)}} | more
    answer = client.post(f"/rsrest/{service}", json=body)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert set(found) == {"appcode", "msg", "result"}
    return found


def some(rows: Ask, table: str, count: int) -> list[str]:
    asked = f"SELECT DISTINCT aac002 FROM {table} WHERE aac002 IS NOT NULL ORDER BY 1 LIMIT {count}"
    return [row["aac002"] for row in rows(SOURCE, asked)]


@pytest.mark.parametrize("table", TABLES)
def test_its_answers_are_the_rows_of_its_file(client: httpx.Client, rows: Ask, table: str) -> None:
    every = some(rows, table, 100_000)
    found = []
    for start in range(0, len(every), 50):
        batch, page = every[start : start + 50], 1
        while True:
            answer = call(client, table, batch, pageNo=page, pageSize=100)
            assert answer["appcode"] == "0"
            found += answer["result"]["rows"]
            if page * 100 >= int(answer["result"]["total"]):
                break
            page += 1
    stands = rows(SOURCE, f"SELECT * FROM {table} WHERE aac002 IS NOT NULL")
    assert len(stands) > 50
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, stands))
    assert {type(value) for row in found for value in row.values()} == {str}


def test_a_page_has_fifteen_rows_unless_asked(client: httpx.Client, rows: Ask) -> None:
    numbers = some(rows, "ac01", 50)
    first, second = (call(client, "ac01", numbers, pageNo=page)["result"] for page in (1, 2))
    assert first["total"] == second["total"]
    assert int(first["total"]) >= 50
    assert (len(first["rows"]), len(second["rows"])) == (15, 15)
    assert [r for r in first["rows"] if r in second["rows"]] == []
    whole = call(client, "ac01", numbers, pageNo="1", pageSize="100")["result"]["rows"]
    assert whole[:30] == first["rows"] + second["rows"]
    assert call(client, "ac01", numbers, pageNo=99)["result"]["rows"] == []


def test_who_is_not_known_has_no_rows(client: httpx.Client, nobody: str) -> None:
    answer = call(client, "qzdj", [nobody])
    assert answer == {"appcode": "0", "msg": "", "result": {"total": "0", "rows": []}}


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("gwxx", {"params": {"aac002": "1"}}),
        ("ac01", {"params": {"aac002": ",".join("1" * 51)}}),
        ("ac01", {"params": {"aac002": ""}}),
        ("ac01", {"params": {"aac002": ["1"]}}),
        ("ac01", {"params": {}}),
        ("ac01", []),
        ("ac01", {"params": {"aac002": "1"}, "pageSize": 101}),
        ("ac01", {"params": {"aac002": "1"}, "pageSize": 0}),
        ("ac01", {"params": {"aac002": "1"}, "pageNo": 0}),
        ("ac01", {"params": {"aac002": "1"}, "pageNo": "one"}),
    ],
)
def test_what_it_does_not_take_fails_with_http_200(
    client: httpx.Client, service: str, body: Any
) -> None:
    answer = client.post(f"/rsrest/{service}", json=body)
    assert (answer.status_code, answer.json()["appcode"]) == (200, "-1")
    assert answer.json()["result"] is None
    assert answer.json()["msg"]


def test_fifty_numbers_are_taken(client: httpx.Client, nobody: str) -> None:
    assert call(client, "ac01", [nobody] * 50)["appcode"] == "0"
    assert call(client, "ac01", [nobody] * 51)["appcode"] == "-1"


def test_without_a_token_nothing_is_answered(client: httpx.Client, rows: Ask) -> None:
    numbers, mine = some(rows, "ac01", 1), client.headers["accesstoken"]
    for other in ("", "x", mine[:-1], mine + "x"):
        answer = client.post(
            "/rsrest/ac01",
            json={"params": {"aac002": numbers[0]}},
            headers={"accesstoken": other},
        )
        assert (answer.status_code, answer.json()["appcode"]) == (200, "-401")
        assert answer.json()["result"] is None
    assert call(client, "ac01", numbers)["appcode"] == "0"


def test_a_token_is_given_to_who_knows_the_secret(client: httpx.Client) -> None:
    for said in ({"appid": "demo", "secret": "x"}, {"secret": "demo"}, {}, {"appid": "demo\ndemo"}):
        assert client.post("/rsrest/token", json=said).json()["appcode"] == "-1"
    assert token(client) != token(client)


def test_a_token_that_is_over_is_unknown(serve: Serve, nobody: str) -> None:
    with serve(PROGRAM, SOURCE, *FREELY, "--token-life", "0") as client:
        given = client.post("/rsrest/token", json={"appid": "demo", "secret": "demo"}).json()
        assert given["result"]["expires_in"] == "0"
        client.headers["accesstoken"] = given["result"]["token"]
        assert call(client, "ac01", [nobody])["appcode"] == "-401"


def test_a_token_lives_as_long_as_it_says(module: Callable[[str], ModuleType]) -> None:
    employment, at = module(PROGRAM), [0.0]
    tokens = employment.Tokens("a", "b", 1800, now=lambda: at[0])
    one = tokens.issue("a", "b")["token"]
    at[0] = 1799.0
    two = tokens.issue("a", "b")["token"]
    tokens.check(one)
    at[0] = 1800.0
    with pytest.raises(employment.Refused) as refused:
        tokens.check(one)
    assert refused.value.appcode == "-401"
    tokens.check(two)


def test_five_a_second_and_not_six(module: Callable[[str], ModuleType]) -> None:
    at = [0.0]
    meter = module(PROGRAM).Meter(5, now=lambda: at[0])
    assert [meter.admits() for _ in range(7)] == [True] * 5 + [False] * 2
    at[0] = 0.999
    assert not meter.admits()
    at[0] = 1.0
    assert [meter.admits() for _ in range(6)] == [True] * 5 + [False]


def test_too_many_at_once_are_told_to_come_back(county: County) -> None:
    async def burst(address: str) -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=address, timeout=PATIENT_S, trust_env=False) as many:
            asked = (many.post("/rsrest/token", json={}) for _ in range(40))
            return await asyncio.gather(*asked)

    with started(PROGRAM, county.source(SOURCE), "--per-second", "1") as (_, address):
        for _ in range(20):  # however slow the machine: two of forty within a second
            answers = asyncio.run(burst(address))
            refused = [a for a in answers if a.status_code == 429]
            if refused:
                break
    assert {a.headers["Retry-After"] for a in refused} == {"1"}
    assert {a.status_code for a in answers} == {200, 429}


@pytest.mark.parametrize(
    ("at", "appcode"), [("21:59", "0"), ("22:00", "-1"), ("05:59", "-1"), ("06:00", "0")]
)
def test_it_is_closed_at_night(serve: Serve, at: str, appcode: str) -> None:
    with serve(PROGRAM, SOURCE, *FREELY, "--clock", at) as client:
        answer = client.post("/rsrest/token", json={"appid": "demo", "secret": "demo"})
    assert (answer.status_code, answer.json()["appcode"]) == (200, appcode)
