"""examples/departments/health.py: the subgraph, its masks and limits, one statement a table."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from types import ModuleType
from typing import Any

import httpx
import pytest

from hub.demo.county import County
from tests.departments.conftest import Ask, Serve

pytestmark = pytest.mark.loopback

PROGRAM, SOURCE = "health", "wj_resident"
FIELDS: dict[str, tuple[str, list[str]]] = {
    "chronicRecords": (
        "chronic_record",
        ["disease", "icd10", "managedSince", "lastFollowUp", "grade"],
    ),
    "seriousIllness": (
        "serious_illness",
        ["recordNo", "disease", "admitted", "hospital", "cured"],
    ),
    "appointments": ("appointment", ["recordNo", "hospital", "clinic", "visitDate", "state"]),
    "medications": ("medication", ["recordNo", "drug", "days", "dispensed", "delivery"]),
}
WHOLE = "ehrNo idCard name " + " ".join(
    f"{field} {{ {' '.join(columns)} }}" for field, (_, columns) in FIELDS.items()
)
RESIDENTS = f"query($ids: [String!]!) {{ residents(idCards: $ids) {{ {WHOLE} }} }}"
ENTITIES = (
    "query($of: [_Any!]!) { _entities(representations: $of)"
    f" {{ ... on Resident {{ {WHOLE} }} }} }}"
)
SHORT = "query($ids: [String!]!) { residents(idCards: $ids) { name } }"
HEADERS = {"Authorization": "Bearer demo", "X-Purpose": "aid.file"}


@pytest.fixture(scope="module")
def client(serve: Serve) -> Iterator[httpx.Client]:
    with serve(PROGRAM, SOURCE) as found:
        found.headers.update(HEADERS)
        yield found


def asked(client: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    """The answer, which is always of HTTP 200."""
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


@pytest.fixture(scope="module")
def people(rows: Ask) -> list[str]:
    """Id cards of ninety residents, among them some with records of each kind."""
    found = dict[str, None]()
    for table, _ in FIELDS.values():
        statement = f"SELECT idCard FROM {table} WHERE idCard IS NOT NULL ORDER BY 1 LIMIT 15"
        found |= dict.fromkeys(row["idCard"] for row in rows(SOURCE, statement))
    every = rows(SOURCE, "SELECT idCard FROM resident WHERE idCard IS NOT NULL ORDER BY ehrNo")
    return list(found | dict.fromkeys(row["idCard"] for row in every))[:90]


def stands(rows: Ask, id_card: str) -> dict[str, Any]:
    """A resident and all records as the file has them, each list in an order of its own."""
    (resident,) = rows(SOURCE, "SELECT * FROM resident WHERE idCard = ?", id_card)
    for field, (table, columns) in FIELDS.items():
        statement = f"SELECT {', '.join(columns)} FROM {table} WHERE idCard = ?"
        resident[field] = in_order(rows(SOURCE, statement, id_card))
    return resident


def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def told(resident: dict[str, Any]) -> dict[str, Any]:
    return resident | {field: in_order(resident[field]) for field in FIELDS}


def test_its_answers_are_the_rows_of_its_file(
    client: httpx.Client, rows: Ask, people: list[str]
) -> None:
    answer = asked(client, RESIDENTS, ids=people)
    assert "errors" not in answer
    found = [told(resident) for resident in answer["data"]["residents"]]
    assert found == [stands(rows, id_card) for id_card in people]
    assert all(sum(len(resident[field]) for resident in found) > 5 for field in FIELDS)


def test_entities_are_the_same_residents(client: httpx.Client, people: list[str]) -> None:
    of = [{"__typename": "Resident", "idCard": id_card} for id_card in people]
    entities = asked(client, ENTITIES, of=of)["data"]["_entities"]
    assert entities == asked(client, RESIDENTS, ids=people)["data"]["residents"]


def test_order_is_that_of_the_question_and_nobody_is_null(
    client: httpx.Client, people: list[str], nobody: str
) -> None:
    ids = [people[2], nobody, people[0], people[2]]
    found = asked(client, RESIDENTS, ids=ids)["data"]["residents"]
    assert [r and r["idCard"] for r in found] == [people[2], None, people[0], people[2]]
    of = [{"__typename": "Resident", "idCard": id_card} for id_card in ids]
    assert asked(client, ENTITIES, of=of)["data"]["_entities"] == found


def test_it_is_a_subgraph_with_a_key(client: httpx.Client) -> None:
    sdl = asked(client, "{ _service { sdl } }")["data"]["_service"]["sdl"]
    assert re.search(r'type Resident @key\(fields: "idCard"\)', sdl)
    assert "residents(idCards: [String!]!): [Resident]!" in sdl
    for field, (_, columns) in FIELDS.items():
        kind = re.search(rf"{field}: \[(\w+)!\]!", sdl)
        assert kind
        assert set(columns) <= set(re.findall(r"^  (\w+): String$", _body(sdl, kind[1]), re.M))


def _body(sdl: str, kind: str) -> str:
    return sdl.split(f"type {kind} {{")[1].split("}")[0]


def test_without_a_purpose_the_id_card_is_masked(client: httpx.Client, people: list[str]) -> None:
    clear = asked(client, RESIDENTS, ids=people)["data"]["residents"]
    client.headers.pop("X-Purpose")
    try:
        masked = asked(client, RESIDENTS, ids=people)["data"]["residents"]
        client.headers["X-Purpose"] = ""
        assert asked(client, RESIDENTS, ids=people)["data"]["residents"] == masked
    finally:
        client.headers["X-Purpose"] = HEADERS["X-Purpose"]
    assert [r["idCard"] for r in clear] == people
    assert [r["idCard"] for r in masked] == [p[:6] + "*" * 8 + p[-4:] for p in people]
    assert [r | {"idCard": ""} for r in masked] == [r | {"idCard": ""} for r in clear]


def test_a_hundred_residents_and_not_one_more(
    client: httpx.Client, people: list[str], nobody: str
) -> None:
    hundred = [nobody] * 99 + [people[0]]
    assert asked(client, SHORT, ids=hundred)["data"]["residents"][99]["name"]
    answer = asked(client, SHORT, ids=[*hundred, nobody])
    assert (answer["data"], codes(answer)) == (None, ["QUERY_TOO_COMPLEX"])
    of = [{"__typename": "Resident", "idCard": nobody}] * 101
    answer = asked(client, ENTITIES, of=of)
    assert (answer["data"], codes(answer)) == (None, ["QUERY_TOO_COMPLEX"])
    twice = (
        "query($ids: [String!]!) { a: residents(idCards: $ids) { name }"
        " b: residents(idCards: $ids) { name } }"
    )
    answer = asked(client, twice, ids=hundred[:51])
    assert (answer["data"], codes(answer)) == (None, ["QUERY_TOO_COMPLEX"])
    assert "errors" not in asked(client, twice, ids=hundred[:50])


def test_without_the_key_nothing_is_answered(client: httpx.Client, people: list[str]) -> None:
    good = client.headers["Authorization"]
    for bad in ("", "demo", "Bearer", "Bearer x", "bearer demo", "Bearer dem"):
        client.headers["Authorization"] = bad
        answer = asked(client, RESIDENTS, ids=people)
        assert (answer["data"], codes(answer)) == (None, ["UNAUTHENTICATED"])
    client.headers["Authorization"] = good


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"query": 1}', b'{"query": "", "variables": []']
)
def test_what_is_no_question_is_a_bad_request(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/graphql", content=body)
    assert (answer.status_code, codes(answer.json())) == (400, ["BAD_REQUEST"])


def test_only_post_is_answered(client: httpx.Client) -> None:
    assert client.get("/graphql").status_code == 405
    assert client.post("/").status_code == 404


@pytest.mark.parametrize("query", [RESIDENTS, ENTITIES])
def test_each_table_is_asked_once_a_request(
    module: Callable[[str], ModuleType], county: County, people: list[str], query: str
) -> None:
    health, db = module(PROGRAM), county.source(SOURCE)
    schema = health.Subgraph(
        query=health.Query, config=health.StrawberryConfig(auto_camel_case=False)
    )
    context = health.Asked(db, 100, purpose=True)
    batches: list[tuple[str, int]] = []
    for table, loader in context._tables.items():
        counted(table, loader, batches)
    of = [{"__typename": "Resident", "idCard": id_card} for id_card in people]
    variables = {"ids": people} if query is RESIDENTS else {"of": of}
    result = asyncio.run(schema.execute(query, variables, context))
    assert result.errors is None
    assert dict(batches) == dict.fromkeys(health.ORDERS, len(people))
    assert len(batches) == len(health.ORDERS)


def counted(table: str, loader: Any, batches: list[tuple[str, int]]) -> None:
    load = loader.load_fn

    async def seen(id_cards: list[str]) -> Any:
        batches.append((table, len(id_cards)))
        return await load(id_cards)

    loader.load_fn = seen


def test_a_share_of_the_requests_is_never_answered(serve: Serve, people: list[str]) -> None:
    body = {"query": SHORT, "variables": {"ids": people}}
    with serve(PROGRAM, SOURCE, "--fail-share", "1") as client, pytest.raises(httpx.ReadTimeout):
        client.post("/graphql", json=body, headers=HEADERS, timeout=httpx.Timeout(30, read=1))
    with serve(PROGRAM, SOURCE, "--fail-share", "0") as client:
        assert client.post("/graphql", json=body, headers=HEADERS).json()["data"]["residents"]


def test_nineteen_of_twenty_answers_are_faster(module: Callable[[str], ModuleType]) -> None:
    health, rng = module(PROGRAM), Random(532622)
    waits = [health.Faults(slow_s=3, silent_share=0.02).wait_s(rng) for _ in range(10_000)]
    silent = waits.count(health.SILENT_S)
    assert 150 < silent < 250
    assert 9_250 < sum(wait < 3 for wait in waits) < 9_400  # 95 % of 98 %
    assert health.Faults().wait_s(rng) == 0
