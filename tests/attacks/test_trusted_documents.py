"""Under ``enforce`` nothing is asked that nobody has approved, whatever it is dressed as.

And what is approved gives nobody more than he would get without it: the same person by REST is
the same cells and states as by GraphQL, a stranger's person the same bytes as nobody.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from adapters.identity import citizen_uid
from bench.hostile import DOCUMENTS
from hub.demo.site import Site
from store.documents import DRAFT, RETIRED, Registered, trusted_alias, trusted_document
from tests.attacks.conftest import PERSON, ROADS, Person
from tests.trusted import DESK, ENFORCED, TOWN, WEB, Edge, by_id, codes, edge

pytestmark = pytest.mark.anyio

WHO = "query Who { viewer { account } }"
FREE = "query Free { citizens(first: 100) { nodes { id name } } }"
FIND = "query Find($n: String!) { citizen(by: {idNumber: $n}) { name } }"
NUMBER = "539922197704129912"


@pytest.fixture(scope="module")
async def strict(
    site: Site, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    """A hub that takes text from nobody but tests and officers."""
    given = {**ENFORCED, "lookup.per_hour": 100_000, "lookup.misses": 100_000}
    async with edge(site, tmp_path_factory.mktemp("strict") / "site", given) as made:
        await made.put(WHO, "who")
        await made.put(FIND)
        yield made


async def refused(strict: Edge, body: Mapping[str, Any], client: str = WEB) -> tuple[str, int]:
    """The code of a refusal, by which no source was asked; its record says so, too."""
    sources = strict.hub.sources
    before = {name: getattr(source, "calls", 0) for name, source in sources.items()}
    answer = await strict.ask(body, client=client)
    assert {n: getattr(source, "calls", 0) for n, source in sources.items()} == before
    assert "data" not in answer.json()
    record = await strict.last()
    assert record["idx"] == answer.json()["extensions"]["audit"]["idx"]
    assert "reads" not in record
    ((code, _),) = codes(answer)
    assert record["code"] == code
    return code, answer.status_code


NOT_TRUSTED, UNKNOWN = ("DOCUMENT_NOT_TRUSTED", 403), ("DOCUMENT_UNKNOWN", 404)
DISAGREES = ("BAD_REQUEST", 400)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"query": FREE}, NOT_TRUSTED),
        ({"query": WHO + " "}, NOT_TRUSTED),
        ({"query": WHO + "\n#" + FREE}, NOT_TRUSTED),
        ({"query": f"{WHO} {FREE}", "operationName": "Free"}, NOT_TRUSTED),
        ({"query": "{ __typename }"}, NOT_TRUSTED),
        ({"query": "{ __schema { types { name } } }"}, NOT_TRUSTED),
        ({"query": "not a document {"}, NOT_TRUSTED),
        ({"documentId": by_id(WHO), "query": FREE}, DISAGREES),
        ({"documentId": "who", "query": FREE}, DISAGREES),
        ({"documentId": by_id(FREE), "query": FREE}, UNKNOWN),
        (
            {
                "query": FREE,
                "extensions": {
                    "persistedQuery": {"version": 1, "sha256Hash": by_id(FREE).partition(":")[2]}
                },
            },
            UNKNOWN,
        ),
        (
            {
                "query": FREE,
                "extensions": {
                    "persistedQuery": {"version": 1, "sha256Hash": by_id(WHO).partition(":")[2]}
                },
            },
            DISAGREES,
        ),
        ({"documentId": by_id(WHO), "operationName": "Free"}, ("BAD_USER_INPUT", 200)),
        ({"documentId": "WHO"}, UNKNOWN),
        ({"documentId": "Who/1"}, UNKNOWN),
        ({"documentId": "who' OR '1'='1"}, DISAGREES),
        ({"documentId": "%"}, DISAGREES),
    ],
)
async def test_no_dress_makes_a_text_trusted(
    strict: Edge, body: Mapping[str, Any], said: tuple[str, int]
) -> None:
    for _ in range(2):  # what was refused once has not been registered by that
        assert await refused(strict, body) == said


async def test_nothing_that_was_sent_was_kept(strict: Edge) -> None:
    async with strict.hub.store.connect() as connection:
        texts = set(await connection.scalars(select(trusted_document.c.text)))
        aliases = set(await connection.scalars(select(trusted_alias.c.alias)))
    assert FREE not in texts
    assert aliases == {"who"}


async def test_another_clients_document_is_one_nobody_has(strict: Edge) -> None:
    """Neither its hash, its alias, its text nor its name says whether it exists."""
    for named, nobody in ((by_id(WHO), by_id("query No { x }")), ("who", "nobody")):
        theirs = await strict.ask({"documentId": named}, client=DESK)
        none = await strict.ask({"documentId": nobody}, client=DESK)
        assert _bare(theirs) == _bare(none)
        assert await refused(strict, {"documentId": named}, DESK) == UNKNOWN
    assert await refused(strict, {"query": WHO}, DESK) == NOT_TRUSTED
    theirs = await strict.rest("Who/1", client=DESK)
    assert _bare(theirs) == _bare(await strict.rest("No/1", client=DESK))


def _bare(answer: httpx.Response) -> tuple[int, Any]:
    """An answer without what differs from request to request."""
    body = answer.json()
    body.pop("extensions")
    for one in (body, *(error["extensions"] for error in body.get("errors", ()))):
        one.pop("requestId", None)
    return answer.status_code, body


async def test_a_second_client_may_have_the_same_alias_for_another_text(strict: Edge) -> None:
    await strict.put("query Theirs { viewer { purpose } }", "who", client="third")
    mine, theirs = [await strict.ask({"documentId": "who"}, client=c) for c in (WEB, "third")]
    assert mine.json()["data"] == {"viewer": {"account": TOWN}}
    assert theirs.json()["data"] == {"viewer": {"purpose": "aid.file"}}


@pytest.mark.parametrize("state", [DRAFT, RETIRED])
async def test_no_road_leads_to_what_is_not_approved(strict: Edge, state: str) -> None:
    text = f"query {state.title()} {{ citizens(first: 3) {{ nodes {{ name }} }} }}"
    document = await strict.put(text, state=state)
    for body in ({"query": text}, {"documentId": by_id(document)}):
        assert await refused(strict, body) == NOT_TRUSTED
    for answer in (
        await strict.rest(document.label),
        await strict.rest(document.label, json_={}),
    ):
        assert codes(answer) == [("DOCUMENT_NOT_TRUSTED", None)]
    described = await strict.http.get("/api/openapi.json", headers=strict.headers())
    assert document.name not in described.text
    assert "Who/1" in described.text


async def test_no_url_takes_a_person_however_it_is_spelt(strict: Edge) -> None:
    for query in (f"n={NUMBER}", f"%6e={NUMBER}", f"n=&n={NUMBER}", f"x={NUMBER}", f"{NUMBER}"):
        answer = await strict.rest(f"Find/1?{query}")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    for path in (f"Find/{NUMBER}", f"{NUMBER}/1"):
        assert (await strict.rest(path)).status_code == 404
    listed = await strict.rest(f"Who/1?n={NUMBER}")
    assert codes(listed) == [("BAD_USER_INPUT", "VARIABLE")]
    said = json.dumps(await strict.records())
    assert NUMBER not in listed.text + said


async def test_a_method_or_a_header_changes_nothing(strict: Edge) -> None:
    headers = strict.headers() | {"X-HTTP-Method-Override": "POST"}
    answer = await strict.http.get(f"/api/rest/Find/1?n={NUMBER}", headers=headers)
    assert answer.status_code == 405
    for path in ("/api/rest/Find", "/api/rest/Find/1/", "/api/rest//1", "/api/rest/../graphql"):
        answer = await strict.http.get(path, headers=strict.headers())
        assert answer.status_code in (404, 405), path


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_hostile_text_is_not_even_read(strict: Edge, name: str) -> None:
    hostile, documents = DOCUMENTS[name], strict.hub.engine.documents
    parsed = documents.parsed
    answer = await strict.ask({"query": hostile.text, "variables": hostile.variables})
    assert (answer.status_code, codes(answer)) == (403, [("DOCUMENT_NOT_TRUSTED", None)])
    assert documents.parsed == parsed


ACCOUNTS = (TOWN, "bange-town-01", "office-01", "mca-dept-01")


@pytest.mark.parametrize("road", ROADS)
async def test_the_same_person_by_rest_is_the_same_cells_and_states(
    strict: Edge, site: Site, road: str
) -> None:
    one, name = ROADS[road], "".join(word.title() for word in road.replace("-", " ").split())
    document = await strict.put(f"query {name} {one.document(PERSON).removeprefix('query')}")
    shown = site.shown("zhelai")
    person = Person(**asdict(shown), digest=citizen_uid(strict.hub.keys.identity, shown.id18))
    for account in ACCOUNTS:
        await _compared(strict, document, one.variables(person), account)


async def _compared(
    strict: Edge, document: Registered, variables: Mapping[str, Any], account: str
) -> None:
    headers = strict.headers(account)
    graph = await strict.http.post(
        "/graphql",
        json={"documentId": by_id(document), "variables": variables},
        headers=headers,
    )
    flat = await strict.http.post(
        f"/api/rest/{document.label}", json=dict(variables), headers=headers
    )
    whole, plain = graph.json(), flat.json()
    if flat.status_code == 200:
        assert {k: v for k, v in plain.items() if k not in ("errors", "extensions")} == whole[
            "data"
        ]
        assert plain["extensions"]["fields"] == whole["extensions"]["fields"]
        assert plain["extensions"]["sources"] == whole["extensions"]["sources"]
    else:
        assert flat.status_code == 403
        assert not any(whole.get("data", {}).values())  # `_entities` is refused as a whole
    assert codes(flat) == codes(graph)
    first, second = (await strict.asked())[-2:]
    told = ("outcome", "code", "reads", "subjects", "sought", "op", "areas")
    assert {k: first.get(k) for k in told} == {k: second.get(k) for k in told}


async def test_nobody_and_a_neighbour_are_the_same_bytes(strict: Edge, site: Site) -> None:
    async def asked(number: str) -> dict[str, Any]:
        answer = await strict.rest("Find/1", "bange-town-01", json_={"n": number})
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        body["extensions"].pop("audit")
        return body

    neighbour = await asked(site.shown("zhelai").id18)
    assert neighbour == await asked("539922190001010016")
    assert neighbour["citizen"] is None
