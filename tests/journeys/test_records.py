"""Nothing a client can write keeps its request out of the log, or a person in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from audit.tokens import SubjectTokens
from hub.app import create_app
from resolvers import assemble

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
BY_NUMBER = "query($n: String!) { citizen(by: {idNumber: $n}) { name } }"
VIEWER = "{ viewer { account } }"


def _number(desk: Desk) -> dict[str, str]:
    return {"n": desk.site.shown("zhelai").id18}


async def test_one_person_looked_up_twice_in_one_question_is_one_subject(desk: Desk) -> None:
    twice = """query($n: String!) { a: citizen(by: {idNumber: $n}) { name }
                                    b: citizen(by: {idNumber: $n}) { name } }"""
    answer = await desk.ask(TOWN, twice, _number(desk))
    assert answer.json()["data"]["a"] == answer.json()["data"]["b"] != {"name": None}
    record = await desk.record(answer)
    assert (len(record["sought"]), len(record["subjects"]), record["rows"]) == (1, 1, 2)


async def test_an_operation_of_very_many_reads_is_one_answer_and_several_records(
    desk: Desk,
) -> None:
    below = "{ name division { parent { name } } household { members { name } } }"
    many = " ".join(f"a{i}: citizen(by: {{idNumber: $n}}) {below}" for i in range(28))
    before = len(await desk.records())
    answer = await desk.ask(TOWN, f"query($n: String!) {{ {many} }}", _number(desk))
    assert answer.status_code == 200
    found = (await desk.records())[before:]
    assert [(r["part"], r["parts"]) for r in found] == [(n + 1, 5) for n in range(5)]
    assert sum(len(r["reads"]) for r in found) == 28 * 5
    assert await desk.record(answer) == found[0]


@pytest.mark.parametrize("name", ["v" * 200, "born19770412", "token7f3a9c51"])
async def test_a_variables_name_that_may_say_something_is_only_counted(
    desk: Desk, name: str
) -> None:
    variables = {name: _number(desk)["n"]}
    answer = await desk.ask(TOWN, BY_NUMBER.replace("$n", f"${name}"), variables)
    assert (await desk.record(answer))["op"]["vars"] == {"var.0": "String!"}


@pytest.mark.parametrize(
    ("name", "written"),
    [("Top10Cases", "Top10Cases"), ("t7f3a9c51", None), ("p12799990417", None), ("o" * 41, None)],
)
async def test_an_operations_name_that_may_hold_a_number_or_a_token_is_left_out(
    desk: Desk, name: str, written: str | None
) -> None:
    answer = await desk.ask(TOWN, f"query {name} {VIEWER}")
    assert (await desk.record(answer))["op"].get("name") == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("fe80::1%539922197704129912", "fe80::1"),
        ("539922197704129912", None),
        ("陆 云山", None),
    ],
)
async def test_only_an_address_is_written_as_one(
    desk: Desk, said: str, written: str | None
) -> None:
    # Behind a proxy the server takes the client's address from X-Forwarded-For.
    transport = httpx.ASGITransport(create_app(desk.hub), client=(said, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        answer = await client.post("/graphql", json={"query": VIEWER}, headers=desk.headers(TOWN))
    assert answer.status_code == 200
    assert (await desk.record(answer)).get("ip") == written


async def test_an_answer_that_cannot_be_recorded_leaves_the_attempt_in_the_log(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SubjectTokens, "tokens", lambda _self, _uids: b"no token")
    before = len(await desk.records())
    answer = await desk.ask(TOWN, BY_NUMBER, _number(desk))
    assert (answer.status_code, answer.json().get("data")) == (503, None)
    (record,) = (await desk.records())[before:]
    told = {k: record.get(k) for k in ("actor", "purpose", "outcome", "code", "request")}
    assert told == {
        "actor": TOWN,
        "purpose": "aid.file",
        "outcome": "FAILED",
        "code": "AUDIT_UNAVAILABLE",
        "request": answer.headers["X-Request-Id"],
    }


async def test_an_answer_that_grew_too_large_tells_whom_it_was_about(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assemble, "OBJECTS", 0)
    answer = await desk.ask(TOWN, BY_NUMBER, _number(desk))
    assert answer.json()["errors"][0]["extensions"]["reason"] == "objects"
    record = await desk.record(answer)
    assert (record["outcome"], len(record["sought"])) == ("INVALID", 1)


async def test_a_body_that_does_not_come_ends_with_the_deadline(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"query": '
        await asyncio.sleep(5)

    short: dict[str, Any] = {"deadline_s": 0.2, "source.deadline_s": 0.1}
    async with open_desk(site_copy, **short) as desk:
        headers = desk.headers(TOWN) | {"Content-Type": "application/json"}
        answer = await desk.client.post("/graphql", content=body(), headers=headers)
        assert answer.status_code == 504
        assert (await desk.record(answer))["code"] == "DEADLINE_EXCEEDED"


async def test_no_address_is_answered_with_another_one(desk: Desk) -> None:
    answer = await desk.client.post("/graphql/?n=1", json={"query": VIEWER})
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)
