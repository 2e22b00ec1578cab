"""What bad input gets: a stable code, a Chinese sentence without personal values, a record."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc.jwk import ECKey
from sqlalchemy import update

from adapters.identity import with_check_digit
from hub.identity.asking import POSTS_S
from hub.identity.tokens import Tokens
from store.accounts import principal

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
CHINESE = re.compile("[一-鿿]")
VALID = "539922197704129912"
WRONG_CHECK = "539922197704129913"
VIEWER = "{ viewer { account } }"


def _error(answer: httpx.Response) -> dict[str, Any]:
    """The first error; every message is Chinese, every code comes with the request's id."""
    errors = answer.json()["errors"]
    for error in errors:
        assert CHINESE.search(error["message"])
        assert error["extensions"]["requestId"] == answer.headers["X-Request-Id"]
    first: dict[str, Any] = errors[0]
    return first


# ---- nobody, or nobody we know ------------------------------------------------------------------


def _forged(desk: Desk) -> str:
    settings = desk.hub.settings
    other = ECKey.generate_key("P-256", private=True)
    return Tokens(other, settings.issuer, settings.audience).issue(TOWN, ("aid.file",))


def _unsigned(desk: Desk) -> str:
    _, claims, _ = desk.hub.tokens.issue(TOWN, ("aid.file",)).split(".")
    return f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}."


def _changed(desk: Desk) -> str:
    head, _, signature = desk.hub.tokens.issue(TOWN, ("aid.file",)).split(".")
    _, claims, _ = desk.hub.tokens.issue("office-01", ("supervise",)).split(".")
    return f"{head}.{claims}.{signature}"


def _expired(desk: Desk) -> str:
    settings, keys = desk.hub.settings, desk.hub.keys
    long_ago = Tokens(keys.issuer, settings.issuer, settings.audience, lambda: time.time() - 7_200)
    return long_ago.issue(TOWN, ("aid.file",))


def _foreign(desk: Desk) -> str:
    settings, keys = desk.hub.settings, desk.hub.keys
    return Tokens(keys.issuer, settings.issuer, "another-system").issue(TOWN, ("aid.file",))


STRANGERS: Mapping[str, tuple[Callable[[Desk], str], str]] = {
    "forged": (_forged, "TOKEN_INVALID"),
    "unsigned": (_unsigned, "TOKEN_INVALID"),
    "claims changed": (_changed, "TOKEN_INVALID"),
    "for another system": (_foreign, "TOKEN_INVALID"),
    "expired": (_expired, "TOKEN_EXPIRED"),
    "no token at all": (lambda _desk: "rubbish", "TOKEN_INVALID"),
}


@pytest.mark.parametrize("kind", STRANGERS)
async def test_a_stranger_gets_401_and_one_code(desk: Desk, kind: str) -> None:
    make, reason = STRANGERS[kind]
    headers = {"Authorization": f"Bearer {make(desk)}", "X-Purpose": "aid.file"}
    before = desk.calls()
    answer = await desk.client.post("/graphql", json={"query": VIEWER}, headers=headers)
    _is_refused(answer, reason)
    assert desk.sent(before) == {}


async def test_without_a_token_not_even_the_body_is_read(desk: Desk) -> None:
    before = desk.calls()
    headers = {"Content-Type": "application/json"}
    answer = await desk.client.post("/graphql", content=b"\xff{not json", headers=headers)
    _is_refused(answer, "TOKEN_MISSING")
    assert desk.sent(before) == {}


async def test_a_signed_token_of_no_account_is_refused_and_recorded_as_its_own(desk: Desk) -> None:
    before = len(await desk.records())
    headers = desk.headers("nobody-99", "aid.file")
    answer = await desk.client.post("/graphql", json={"query": VIEWER}, headers=headers)
    _is_refused(answer, "TOKEN_INVALID", recorded=True)
    _is_denied_to("nobody-99", (await desk.records())[before:])


def _is_denied_to(account: str, records: list[dict[str, Any]]) -> None:
    found = [(r["kind"], r["outcome"], r["code"], r["actor"]) for r in records]
    assert found == [("READ", "DENIED", "UNAUTHENTICATED", account)]


CHALLENGES = {
    "TOKEN_MISSING": "Bearer",  # RFC 6750 3.1: nothing is wrong with what was not sent
    "TOKEN_INVALID": 'Bearer error="invalid_token"',
    "TOKEN_EXPIRED": 'Bearer error="invalid_token", error_description="expired"',
}


def _is_refused(answer: httpx.Response, reason: str, *, recorded: bool = False) -> None:
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == CHALLENGES[reason]
    assert answer.json().keys() == ({"errors", "extensions"} if recorded else {"errors"})
    extensions = _error(answer)["extensions"]
    assert (extensions["code"], extensions["reason"]) == ("UNAUTHENTICATED", reason)


async def test_strangers_are_counted_into_the_log(desk: Desk) -> None:
    await desk.hub.rejects.flush()
    before = len(await desk.records())
    for _ in range(3):
        await desk.client.post("/graphql", json={"query": VIEWER})
    headers = {"Authorization": f"Bearer {_expired(desk)}"}
    await desk.client.post("/graphql", json={"query": VIEWER}, headers=headers)
    assert len(await desk.records()) == before  # a flood does not flood the log
    await desk.hub.rejects.flush()
    found = [
        (r["kind"], r["outcome"], r["code"], r["ip"], r["op"]["vars"])
        for r in (await desk.records())[before:]
    ]
    assert sorted(found) == [
        ("REJECTS", "DENIED", "TOKEN_EXPIRED", "127.0.0.1", {"count": 1}),
        ("REJECTS", "DENIED", "TOKEN_MISSING", "127.0.0.1", {"count": 3}),
    ]


# ---- known accounts -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad question, and the refusal it gets. `status` of application/graphql-response+json."""

    query: str
    code: str
    reason: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""  # must stand in the message
    never: str = ""  # must stand nowhere in the answer
    status: int = 400
    outcome: str = "INVALID"
    kind: str = "READ"


BY_NUMBER = "query($n: String!) { citizen(by: {idNumber: $n}) { name } }"
DIVISION = "query($d: DivisionCode!) { cases(filter: {division: $d}) { totalCount } }"
CASES = "query($f: Int, $l: Int, $a: String) { cases(first: $f, last: $l, after: $a) { %s } }"
PAGE = CASES % "totalCount"
DEEP = "{ cases { nodes { applicant { " + "household { members { " * 5 + "name" + " }" * 14
FRAGMENTS = (
    " ".join(f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    + " fragment F60 on Viewer { account }"
)

BAD = {
    "no GraphQL": Bad("{ viewer { account }", "GRAPHQL_PARSE_FAILED"),
    "unknown field": Bad(
        "{ viewer { salary } }", "GRAPHQL_VALIDATION_FAILED", said="类型 `Viewer` 没有字段 `salary`"
    ),
    "unknown argument": Bad("{ cases(sort: 1) { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
    "unused variable": Bad("query($x: Int) { viewer { account } }", "GRAPHQL_VALIDATION_FAILED"),
    "mutation": Bad("mutation { deleteAll }", "GRAPHQL_VALIDATION_FAILED"),
    "subscription": Bad("subscription { events }", "GRAPHQL_VALIDATION_FAILED"),
    "missing variable": Bad(BY_NUMBER, "BAD_USER_INPUT", "VARIABLE", said="`$n`"),
    "variable of a wrong type": Bad(
        BY_NUMBER, "BAD_USER_INPUT", "VARIABLE", {"n": 53992219770412}, "`$n`", "53992219770412"
    ),
    "wrong checksum": Bad(
        BY_NUMBER, "BAD_USER_INPUT", "ID_NUMBER", {"n": WRONG_CHECK}, "校验码", WRONG_CHECK
    ),
    "short number": Bad(
        BY_NUMBER, "BAD_USER_INPUT", "ID_NUMBER", {"n": "53992219770412"}, never="53992219770412"
    ),
    "a name for a number": Bad(
        BY_NUMBER, "BAD_USER_INPUT", "ID_NUMBER", {"n": "陆云山"}, never="陆云山"
    ),
    "literal id number": Bad(
        f'{{ citizen(by: {{idNumber: "{VALID}"}}) {{ name }} }}',
        "BAD_USER_INPUT",
        "VARIABLE",
        said="变量",
        never=VALID,
    ),
    "literal phone": Bad(
        '{ division(code: "12810752549") { name } }',
        "BAD_USER_INPUT",
        "VARIABLE",
        never="12810752549",
    ),
    "an id number in an alias": Bad(
        f"{{ a{VALID}: viewer {{ account }} }}", "BAD_USER_INPUT", "VARIABLE", never=VALID
    ),
    "a phone in the name of a variable": Bad(
        BY_NUMBER.replace("$n", "$p12810752549"), "BAD_USER_INPUT", "VARIABLE", never="12810752549"
    ),
    "unknown division": Bad(
        DIVISION, "BAD_USER_INPUT", "CODE_SCHEME", {"d": "532622999000"}, "`532622999000`"
    ),
    "another county": Bad(
        DIVISION, "BAD_USER_INPUT", "CODE_SCHEME", {"d": "530102001000"}, "`530102001000`"
    ),
    "both first and last": Bad(PAGE, "BAD_USER_INPUT", "PAGE_SIZE", {"f": 1, "l": 1}),
    "page too large": Bad(PAGE, "BAD_USER_INPUT", "PAGE_SIZE", {"f": 101}, "`101`"),
    "page below nothing": Bad(PAGE, "BAD_USER_INPUT", "PAGE_SIZE", {"l": -1}, "`-1`"),
    "bad cursor": Bad(PAGE, "BAD_USER_INPUT", "BAD_CURSOR", {"a": "bm9uc2Vuc2U"}),
    "no cursor at all": Bad(PAGE, "BAD_USER_INPUT", "BAD_CURSOR", {"a": "///"}),
    "a number no database holds": Bad(
        "query($i: Sequence!) { auditProof(idx: $i) { idx } }",
        "BAD_USER_INPUT",
        "VARIABLE",
        {"i": 2**63},
        "`$i`",
    ),
    "the same as a literal": Bad(
        "{ auditProof(idx: -141851619502129381376) { idx } }", "GRAPHQL_VALIDATION_FAILED"
    ),
    "too deep": Bad(DEEP, "OPERATION_TOO_COMPLEX", "depth"),
    "too many aliases": Bad(
        "{" + "".join(f" a{n}: viewer {{ account }}" for n in range(31)) + " }",
        "OPERATION_TOO_COMPLEX",
        "aliases",
    ),
    "a fragment bomb": Bad("{ viewer { ...F0 } } " + FRAGMENTS, "OPERATION_TOO_COMPLEX", "fields"),
    "too many tokens": Bad(
        "{ viewer { " + "account " * 4_000 + "} }", "OPERATION_TOO_COMPLEX", "tokens"
    ),
    "two operations, none chosen": Bad(
        "query A { viewer { account } } query B { viewer { account } }",
        "BAD_USER_INPUT",
        "VARIABLE",
    ),
    "null for a condition at the root": Bad(
        "query($x: Boolean = true) { viewer @skip(if: $x) { account } }",
        "BAD_USER_INPUT",
        "VARIABLE",
        variables={"x": None},
    ),
    "null for a condition below it": Bad(
        "query($x: Boolean = true) { citizens { nodes { name @skip(if: $x) } } }",
        "BAD_USER_INPUT",
        "VARIABLE",
        variables={"x": None},
    ),
    "introspection": Bad(
        "{ __schema { types { name } } }", "FORBIDDEN", status=403, outcome="DENIED"
    ),
    "a list that is not his": Bad(
        "{ auditEvents { totalCount } }",
        "FORBIDDEN",
        status=200,
        outcome="DENIED",
        kind="AUDIT_READ",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_question_gets_its_code_and_its_record(desk: Desk, name: str) -> None:
    bad = BAD[name]
    before = len(await desk.records())
    headers = desk.headers(TOWN) | {"Accept": "application/graphql-response+json"}
    body = {"query": bad.query, "variables": dict(bad.variables)}
    answer = await desk.client.post("/graphql", json=body, headers=headers)
    error = _error(answer)
    assert answer.status_code == bad.status
    assert error["extensions"]["code"] == bad.code
    assert bad.reason is None or error["extensions"]["reason"] == bad.reason
    assert bad.said in error["message"]
    assert not bad.never or bad.never not in answer.text
    assert not any(value is not None for value in (answer.json().get("data") or {}).values())
    (record,) = (await desk.records())[before:]
    assert record == await desk.record(answer)
    assert (record["kind"], record["actor"], record["code"]) == (bad.kind, TOWN, bad.code)
    assert (record["outcome"], record.get("rows", 0)) == (bad.outcome, 0)
    assert not bad.never or bad.never not in str(record)


async def test_a_refusal_names_the_limit(desk: Desk) -> None:
    answer = await desk.ask(TOWN, BAD["too many aliases"].query)
    extensions = _error(answer)["extensions"]
    assert (extensions["allowed"], extensions["actual"]) == (30, 31)


async def test_a_cursor_belongs_to_its_account_its_purpose_and_its_list(desk: Desk) -> None:
    cursor = await _cursor(desk, TOWN, "aid.file")
    again = await desk.ask(TOWN, PAGE, {"a": cursor})
    assert "errors" not in again.json()
    other_list = "query($a: String) { citizens(after: $a) { totalCount } }"
    filtered = "query($a: String) { cases(filter: {overdue: true}, after: $a) { totalCount } }"
    refused = [
        await desk.ask("bange-town-01", PAGE, {"a": cursor}),
        await desk.ask("zhelai-village-01", PAGE, {"a": cursor}),
        await desk.ask(TOWN, PAGE, {"a": cursor}, purpose="aid.review"),
        await desk.ask(TOWN, other_list, {"a": cursor}),
        await desk.ask(TOWN, filtered, {"a": cursor}),
        await desk.ask(TOWN, PAGE, {"a": cursor[:-2] + "AA"}),
    ]
    told = [_error(a)["extensions"] for a in refused]
    assert {(t["code"], t["reason"]) for t in told} == {("BAD_USER_INPUT", "BAD_CURSOR")}


async def _cursor(desk: Desk, account: str, purpose: str) -> str:
    query = CASES % "pageInfo { endCursor }"
    page = await desk.ask(account, query, {"f": 1}, purpose=purpose)
    return str(page.json()["data"]["cases"]["pageInfo"]["endCursor"])


# ---- purpose, body, method ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edge:
    """A request of a known account that is refused before it is a question."""

    code: str
    status: int
    reason: str | None = None
    body: bytes = b'{"query": "{ viewer { account } }"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    outcome: str = "INVALID"


EDGES = {
    "no purpose": Edge(
        "PURPOSE_REQUIRED", 403, "MISSING", headers={"X-Purpose": ""}, outcome="DENIED"
    ),
    "a purpose of another post": Edge(
        "PURPOSE_REQUIRED", 403, "UNKNOWN", headers={"X-Purpose": "supervise"}, outcome="DENIED"
    ),
    "an unknown purpose": Edge(
        "PURPOSE_REQUIRED", 403, "UNKNOWN", headers={"X-Purpose": "curiosity"}, outcome="DENIED"
    ),
    "a foreign case number": Edge(
        "FORBIDDEN", 403, "CASE", headers={"X-Case-No": "SQ20620190006"}, outcome="DENIED"
    ),
    "no JSON": Edge("BAD_REQUEST", 400, "JSON", b"{"),
    "no UTF-8": Edge("BAD_REQUEST", 400, "ENCODING", b'{"query": "\xff"}'),
    "a batch": Edge("BAD_REQUEST", 400, "SHAPE", b"[]"),
    "no query": Edge("BAD_REQUEST", 400, "SHAPE", b"{}"),
    "a long number": Edge(
        "BAD_REQUEST", 400, "JSON", b'{"query": "", "variables": {"n": ' + b"9" * 6000 + b"}}"
    ),
    "a deep body": Edge("BAD_REQUEST", 400, "JSON", b"[" * 5000),
    "a large body": Edge("PAYLOAD_TOO_LARGE", 413, body=b" " * (1024 * 1024 + 1)),
    "a form": Edge(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "an answer nobody can give": Edge("NOT_ACCEPTABLE", 406, headers={"Accept": "text/html"}),
    "GET": Edge("METHOD_NOT_ALLOWED", 405, method="GET", body=b""),
    "OPTIONS": Edge("METHOD_NOT_ALLOWED", 405, method="OPTIONS", body=b""),
}


@pytest.mark.parametrize("name", EDGES)
async def test_a_bad_request_of_a_known_account_is_recorded(desk: Desk, name: str) -> None:
    edge = EDGES[name]
    before, calls = len(await desk.records()), desk.calls()
    headers = desk.headers(TOWN) | {"Content-Type": "application/json"} | dict(edge.headers)
    answer = await desk.client.request(edge.method, "/graphql", content=edge.body, headers=headers)
    extensions = _error(answer)["extensions"]
    assert (answer.status_code, extensions["code"]) == (edge.status, edge.code)
    assert edge.reason is None or extensions["reason"] == edge.reason
    assert answer.headers.get("Allow") == ("POST" if edge.status == 405 else None)
    assert answer.json().keys() == {"errors", "extensions"}
    assert desk.sent(calls) == {}
    (record,) = (await desk.records())[before:]
    assert record == await desk.record(answer)
    assert (record["actor"], record["code"], record["outcome"]) == (TOWN, edge.code, edge.outcome)


async def test_every_request_of_an_account_has_exactly_one_record(desk: Desk) -> None:
    before = len(await desk.records())
    number = {"n": desk.site.shown("zhelai").id18}
    answers = [
        await desk.ask(TOWN, BY_NUMBER, number),
        await desk.ask(TOWN, BY_NUMBER, {"n": with_check_digit("53992219990228998")}),
        await desk.ask(TOWN, BY_NUMBER, {"n": WRONG_CHECK}),
        await desk.ask(TOWN, "{ viewer { account } }"),
        await desk.ask("auditor-01", "{ auditEvents(first: 1) { totalCount } }"),
        await desk.ask("auditor-01", BY_NUMBER, number),
    ]
    records = (await desk.records())[before:]
    receipts = [a.json()["extensions"]["audit"]["idx"] for a in answers]
    assert receipts == [r["idx"] for r in records] == list(range(before, before + 6))
    assert [r["kind"] for r in records] == ["READ"] * 4 + ["AUDIT_READ", "READ"]
    assert [r["outcome"] for r in records] == ["OK", "OK", "INVALID", "OK", "OK", "DENIED"]


async def test_an_account_that_is_suspended_is_refused_within_a_second_and_recorded(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with open_desk(site_copy) as desk:
        assert (await desk.ask(TOWN, VIEWER)).status_code == 200
        async with desk.hub.store.begin() as connection:
            suspended = update(principal).where(principal.c.id == TOWN).values(state="suspended")
            await connection.execute(suspended)
        await asyncio.sleep(POSTS_S + 0.1)
        before = len(await desk.records())
        _is_refused(await desk.ask(TOWN, VIEWER), "TOKEN_INVALID", recorded=True)
        _is_denied_to(TOWN, (await desk.records())[before:])


async def test_an_end_user_nobody_knows_is_refused_not_passed_over(desk: Desk) -> None:
    before = len(await desk.records())
    headers = desk.headers(TOWN, "aid.file") | {"X-End-User": "somebody"}
    answer = await desk.client.post("/graphql", json={"query": VIEWER}, headers=headers)
    assert answer.status_code == 400
    extensions = _error(answer)["extensions"]
    assert (extensions["code"], extensions["reason"]) == ("BAD_REQUEST", "HEADER")
    assert [(r["outcome"], r["actor"]) for r in (await desk.records())[before:]] == [
        ("INVALID", TOWN)
    ]
