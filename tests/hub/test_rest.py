"""The REST face: variables in, flat JSON out, problems, entity tags, what an asker may use."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from hub.demo.documents import LABEL
from hub.demo.site import Site
from hub.identity.tokens import DEMO_CLIENT
from hub.limits import RATE_PERSON
from hub.telemetry.spans import Telemetry
from store.documents import DRAFT, RETIRED
from tests.trusted import DESK, ENFORCED, TOWN, WEB, Edge, codes, edge

pytestmark = pytest.mark.anyio

WHO = "query Who { viewer { account } }"
FIND = "query Find($n: String!) { citizen(by: {idNumber: $n}) { name idNumber access { field } } }"
LIST = (
    "query List($first: Int, $state: CaseState, $late: Boolean, $after: String) {"
    " cases(filter: {state: $state, overdue: $late}, first: $first, after: $after) {"
    " totalCount nodes { caseNo state overdue } pageInfo { endCursor } } }"
)
COUNT = "query Count($by: [CaseDimension!]!) { caseStats(by: $by) { state count suppressed } }"
MIXED = "query Mixed { viewer { account } citizens(first: 1) { nodes { id } } }"
SHUT = "query Shut { auditEvents(first: 1) { nodes { idx } } }"
EVERY = (WHO, FIND, LIST, COUNT, MIXED, SHUT)


@pytest.fixture(scope="module")
async def face(
    site: Site, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    """A hub that takes text from nobody, with a client's documents."""
    async with edge(site, tmp_path_factory.mktemp("face") / "site", ENFORCED) as made:
        for text in EVERY:
            await made.put(text)
        yield made


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of a problem of this status."""
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["type"]) == (status, status, "about:blank")
    assert body["requestId"] == answer.headers["X-Request-Id"]
    return body


# ---- answers -------------------------------------------------------------------------------------


async def test_the_demonstration_answers_at_once(site: Site, tmp_path: Path) -> None:
    async with edge(site, tmp_path / "site") as made:
        answer = await made.rest(f"{LABEL}?first=2", client=DEMO_CLIENT)
    assert answer.status_code == 200
    assert [*answer.json()] == ["cases", "extensions"]
    assert len(answer.json()["cases"]["nodes"]) == 2


async def test_the_root_fields_stand_at_the_top_and_the_receipt_beside_them(face: Edge) -> None:
    answer = await face.rest("Who/1")
    assert answer.json()["viewer"] == {"account": TOWN}
    receipt = answer.json()["extensions"]["audit"]
    assert receipt["idx"] == int(answer.headers["X-Audit-Id"])
    assert {**answer.headers} == {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Origin",
        "x-request-id": answer.headers["X-Request-Id"],
        "content-length": str(len(answer.content)),
        "etag": answer.headers["ETag"],
        "x-audit-id": str(receipt["idx"]),
        "x-audit-receipt": receipt["leaf"],
        "x-sandbox": "true",
        "traceparent": answer.headers["traceparent"],
        "ratelimit-limit": str(RATE_PERSON),
        "ratelimit-remaining": answer.headers["RateLimit-Remaining"],
        "ratelimit-reset": answer.headers["RateLimit-Reset"],
    }
    assert answer.headers["traceparent"].split("-")[1] == answer.headers["X-Request-Id"]
    assert 0 < int(answer.headers["RateLimit-Remaining"]) < RATE_PERSON
    assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60
    record = await face.last()
    assert (record["idx"], record["client"], record["op"]["name"]) == (receipt["idx"], WEB, "Who")
    assert record["op"]["vars"] == {"doc.version": 1}


async def test_a_refused_root_beside_an_answered_one_is_null_with_its_error(face: Edge) -> None:
    answer = await face.rest("Mixed/1", account="auditor-01")
    body = answer.json()
    assert (answer.status_code, body["viewer"], body["citizens"]) == (
        200,
        {"account": "auditor-01"},
        None,
    )
    assert [one["path"] for one in body["errors"]] == [["citizens"]]
    assert codes(answer) == [("FORBIDDEN", "DENIED")]
    assert "etag" not in answer.headers  # what is partial now may be whole later


async def test_a_problem_is_counted_by_its_code_and_an_answer_by_none(
    site: Site, tmp_path: Path
) -> None:
    reader = InMemoryMetricReader()
    async with edge(site, tmp_path / "site", ENFORCED, Telemetry(None, reader)) as made:
        for text in (WHO, SHUT):
            await made.put(text)
        asked = [await made.rest(path) for path in ("Who/1", "Shut/1", "Shut/1", "None/1")]
        counted = _counted(reader)
    assert [one.status_code for one in asked] == [200, 403, 403, 404]
    assert counted == {
        ("OK", "NONE"): 1,
        ("DENIED", "FORBIDDEN"): 2,
        ("INVALID", "NOT_FOUND"): 1,
    }


def _counted(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    """Requests by outcome and code."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        (str(told["hub.outcome"]), str(told["hub.code"])): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "hub.requests"
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint) and (told := point.attributes or {})
    }


async def test_a_refused_root_alone_is_a_problem(face: Edge) -> None:
    answer = await face.rest("Shut/1")
    body = problem(answer, 403)
    assert (body["title"], body["code"], body["reason"]) == ("Forbidden", "FORBIDDEN", "NO_RULE")
    assert body["extensions"]["audit"]["idx"] == (await face.last())["idx"]


async def test_nobody_found_is_null_and_no_problem(face: Edge) -> None:
    answer = await face.rest("Find/1", json_={"n": "539922190001010016"})
    assert (answer.status_code, answer.json()["citizen"]) == (200, None)


# ---- variables -----------------------------------------------------------------------------------


async def test_a_query_string_is_read_by_the_variables_types(face: Edge) -> None:
    everything = (await face.rest("List/1?first=100")).json()["cases"]["nodes"]
    late = (await face.rest("List/1?first=100&late=true")).json()["cases"]["nodes"]
    assert late == [one for one in everything if one["overdue"]] != []
    state = everything[0]["state"]
    same = (await face.rest(f"List/1?first=100&state={state}")).json()["cases"]["nodes"]
    assert same == [one for one in everything if one["state"] == state] != everything
    first = (await face.rest("List/1?first=3")).json()["cases"]
    cursor = quote(first["pageInfo"]["endCursor"], safe="")
    rest = (await face.rest(f"List/1?first=97&after={cursor}")).json()["cases"]["nodes"]
    assert first["nodes"] + rest == everything
    posted = await face.rest("List/1", json_={"first": 3})
    assert posted.json()["cases"] == first


async def test_a_list_is_a_name_given_again(face: Edge) -> None:
    found = (await face.rest("Count/1?by=STATE&by=ITEM", account="office-01")).json()
    posted = await face.rest("Count/1", "office-01", json_={"by": ["STATE", "ITEM"]})
    assert found["caseStats"] == posted.json()["caseStats"] != []


@pytest.mark.parametrize(
    "query",
    [
        "first=x",
        "first=1.0",
        "first=",
        "first=1&first=2",
        "first=99999999999",
        "first=" + "9" * 21,
        "late=yes",
        "late=1",
        "state=NOPE",
        "state=OPEN%00",
        "n=1",
        "first",
        "state=%ff",
        "&",
        "a=1&" * 101 + "a=1",
    ],
)
async def test_a_query_string_that_does_not_fit_is_refused(face: Edge, query: str) -> None:
    body = problem(await face.rest(f"List/1?{query}"), 400)
    assert (body["code"], body["reason"]) in (
        ("BAD_USER_INPUT", "VARIABLE"),
        ("BAD_REQUEST", "JSON"),
    )
    assert "NOPE" not in body["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_REQUEST"),
        (b"[]", "BAD_REQUEST"),
        (b'{"n": NaN}', "BAD_REQUEST"),
        (b'{"n": "\\u0000"}', "BAD_REQUEST"),
        (b"{}", "BAD_USER_INPUT"),
        (b'{"n": 1}', "BAD_USER_INPUT"),
        (b'{"n": "x", "m": 1}', "BAD_USER_INPUT"),
        (b'{"query": "{ viewer { account } }"}', "BAD_USER_INPUT"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused(face: Edge, body: bytes, code: str) -> None:
    headers = face.headers() | {"Content-Type": "application/json"}
    answer = await face.http.post("/api/rest/Find/1", content=body, headers=headers)
    assert problem(answer, 400)["code"] == code


async def test_what_could_name_somebody_never_stands_in_a_url(face: Edge) -> None:
    calls = face.hub.sources["hub"].calls  # type: ignore[attr-defined]
    for path in ("Find/1?n=539922197704129912", "Find/1"):
        answer = await face.rest(path)
        body = problem(answer, 405)
        assert (body["code"], answer.headers["Allow"]) == ("METHOD_NOT_ALLOWED", "POST")
        assert "539922" not in answer.text
    assert face.hub.sources["hub"].calls == calls  # type: ignore[attr-defined]
    assert (await face.last())["outcome"] == "INVALID"


# ---- methods, names, states ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_not_allowed(face: Edge, method: str) -> None:
    answer = await face.http.request(method, "/api/rest/Who/1", headers=face.headers())
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


async def test_media_types_are_those_of_json(face: Edge) -> None:
    form = face.headers() | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await face.http.post("/api/rest/Who/1", content=b"a=1", headers=form)
    assert problem(answer, 415)["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert problem(await face.rest("Who/1", Accept="text/html"), 406)["code"] == "NOT_ACCEPTABLE"


@pytest.mark.parametrize("path", ["Nothing/1", "Who/2", "Who/0", "Who/x", "Who/-1", "Who/٣"])
async def test_a_name_nobody_has_is_not_found(face: Edge, path: str) -> None:
    assert problem(await face.rest(path), 404)["code"] == "NOT_FOUND"
    assert (await face.last())["code"] == "NOT_FOUND"


async def test_another_clients_name_is_not_found(face: Edge) -> None:
    assert problem(await face.rest("Who/1", client=DESK), 404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("state", [DRAFT, RETIRED])
async def test_what_is_not_approved_is_refused(face: Edge, state: str) -> None:
    text = f"query {state.title()} {{ viewer {{ purpose }} }}"
    document = await face.put(text, state=state)
    assert problem(await face.rest(document.label), 403)["code"] == "DOCUMENT_NOT_TRUSTED"


async def test_a_stranger_gets_nothing(face: Edge) -> None:
    for path in ("/api/rest/Who/1", "/api/rest/Nothing/1", "/api/openapi.json"):
        answer = await face.http.get(path)
        assert problem(answer, 401)["code"] == "UNAUTHENTICATED"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


# ---- entity tags ---------------------------------------------------------------------------------


async def test_an_answer_one_has_already_is_not_sent_again_but_recorded(face: Edge) -> None:
    first = await face.rest("List/1?first=2")
    tag = first.headers["ETag"]
    for header in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = await face.rest("List/1?first=2", If_None_Match=header)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        record = await face.last()
        assert record["idx"] == int(again.headers["X-Audit-Id"]) > int(first.headers["X-Audit-Id"])
        assert sum(one["n"] for one in record["reads"]) == 2
    other = await face.rest("List/1?first=3", If_None_Match=tag)
    assert other.status_code == 200
    posted = await face.rest("List/1", json_={"first": 2}, If_None_Match=tag)
    assert posted.status_code == 200
    assert "etag" not in posted.headers


async def test_a_tag_is_of_one_asker(face: Edge) -> None:
    tags = {
        account: (await face.rest("Count/1?by=STATE", account)).headers["ETag"]
        for account in ("office-01", "authority-01")
    }
    assert len({*tags.values()}) == 2
    again = await face.rest("Count/1?by=STATE", "office-01", If_None_Match=tags["authority-01"])
    assert again.status_code == 200


# ---- OpenAPI -------------------------------------------------------------------------------------


async def described(face: Edge, account: str = TOWN, client: str = WEB) -> dict[str, Any]:
    answer = await face.http.get("/api/openapi.json", headers=face.headers(account, client))
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        200,
        "application/json; charset=utf-8",
    )
    found: dict[str, Any] = answer.json()
    return found


async def test_the_description_is_openapi_3_1(face: Edge) -> None:
    for account in (TOWN, "auditor-01"):
        OpenAPIV31SpecValidator(await described(face, account)).validate()
    record = await face.last()
    assert (record["op"]["type"], record["outcome"], "reads" in record) == ("openapi", "OK", False)


async def test_it_tells_what_this_asker_may_use_and_no_more(face: Edge) -> None:
    def paths(found: dict[str, Any]) -> dict[str, list[str]]:
        methods = {name: {*about} - {"parameters"} for name, about in found["paths"].items()}
        return {name.removeprefix("/api/rest/"): sorted(m) for name, m in methods.items()}

    clerk = paths(await described(face))
    assert clerk == {
        "Count/1": ["get", "post"],
        "Find/1": ["post"],
        "List/1": ["get", "post"],
        "Mixed/1": ["get", "post"],
        "Who/1": ["get", "post"],
    }
    assert {*paths(await described(face, "auditor-01"))} == {"Shut/1", "Who/1"}
    assert paths(await described(face, client=DESK)) == {}


async def test_it_says_in_chinese_what_each_member_is(face: Edge) -> None:
    found = await described(face)
    listed = found["paths"]["/api/rest/List/1"]["get"]
    assert "诉求件" in listed["description"]
    assert [(one["name"], one["required"]) for one in listed["parameters"]] == [
        ("first", False),
        ("state", False),
        ("late", False),
        ("after", False),
    ]
    schema = listed["responses"]["200"]["content"]["application/json"]["schema"]
    node = schema["properties"]["cases"]["properties"]["nodes"]["items"]["properties"]
    assert node["caseNo"]["description"].startswith("诉求编号。级别：")
    assert "SUBMITTED 已提交" in node["state"]["description"]
    body = found["paths"]["/api/rest/Find/1"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {"n": {"type": "string"}},
        "additionalProperties": False,
        "required": ["n"],
    }


async def test_what_is_answered_is_what_is_described(face: Edge) -> None:
    found = await described(face)
    person = face.site.shown("zhelai")
    asked: dict[str, Any] = {
        "Who/1": {},
        "Find/1": {"n": person.id18},
        "List/1": {"first": 5},
        "Count/1": {"by": ["STATE"]},
        "Mixed/1": {},
    }
    for label, variables in asked.items():
        answers = found["paths"][f"/api/rest/{label}"]["post"]["responses"]
        schema = answers["200"]["content"]["application/json"]["schema"]
        judge = Draft202012Validator({**schema, "components": found["components"]})
        answer = (await face.rest(label, json_=variables)).json()
        assert [error.message for error in judge.iter_errors(answer)] == [], label
        broken = {key: value for key, value in answer.items() if key != "extensions"}
        assert not judge.is_valid(broken)
    refused = (await face.rest("Nothing/1")).json()
    judge = Draft202012Validator(
        {"$ref": "#/components/schemas/Problem", "components": found["components"]}
    )
    assert judge.is_valid(refused)
    assert not judge.is_valid({})


async def test_it_is_read_by_get_alone_and_names_no_other_host(face: Edge) -> None:
    answer = await face.http.post("/api/openapi.json", headers=face.headers())
    assert (problem(answer, 405)["code"], answer.headers["Allow"]) == ("METHOD_NOT_ALLOWED", "GET")
    assert "//" not in json.dumps(await described(face))
