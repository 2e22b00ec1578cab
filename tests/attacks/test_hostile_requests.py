"""Requests made to break the edge: each gets its refusal, never a 5xx, and honest ones go on.

Over a real server process; what httpx would not send is written to the socket by hand.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bench.hostile import HONEST

if TYPE_CHECKING:
    from bench.served import Served

pytestmark = pytest.mark.loopback

QUERY = json.dumps({"query": HONEST}).encode()
MIB = 1024 * 1024
FOREIGN, OURS = "https://evil.example", "https://desk.example"
SEED = 20_261_126
ALLOWED = "access-control-allow-origin"


def with_variable(text: bytes) -> bytes:
    """A body whose one variable is this JSON."""
    return b'{"query": "{ viewer { account } }", "variables": {"x": ' + text + b"}}"


@dataclass(frozen=True, slots=True)
class Bad:
    """A request and its refusal: status, code, reason."""

    status: int
    code: str
    reason: str | None = None
    body: bytes = QUERY
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


def _typed(kind: str, body: bytes = QUERY) -> Bad:
    return Bad(415, "UNSUPPORTED_MEDIA_TYPE", None, body, {"Content-Type": kind})


MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + QUERY + b"\r\n--x--\r\n"
)
REQUESTS: Mapping[str, Bad] = {
    # What a foreign page can make a browser send without asking first
    "a form": _typed("application/x-www-form-urlencoded", b"query=%7Bviewer%7Baccount%7D%7D"),
    "a text": _typed("text/plain"),
    "a text that says JSON": _typed("text/plain; application/json"),
    "multipart": _typed("multipart/form-data; boundary=x", MULTIPART),
    "GraphQL as a text": _typed("application/graphql", HONEST.encode()),
    "no type": _typed(""),
    "another charset": _typed("application/json; charset=utf-16"),
    "JSON and a form": _typed("application/json, application/x-www-form-urlencoded"),
    "compressed": Bad(
        415, "UNSUPPORTED_MEDIA_TYPE", None, b"\x1f\x8b" + QUERY, {"Content-Encoding": "gzip"}
    ),
    "GET": Bad(405, "METHOD_NOT_ALLOWED", None, b"", method="GET"),
    "GET with a question": Bad(405, "METHOD_NOT_ALLOWED", None, QUERY, method="GET"),
    "PUT": Bad(405, "METHOD_NOT_ALLOWED", method="PUT"),
    "TRACE": Bad(405, "METHOD_NOT_ALLOWED", None, b"", method="TRACE"),
    "QUERY": Bad(405, "METHOD_NOT_ALLOWED", method="QUERY"),
    "OPTIONS that is no browser's": Bad(405, "METHOD_NOT_ALLOWED", None, b"", method="OPTIONS"),
    "HTML accepted": Bad(406, "NOT_ACCEPTABLE", headers={"Accept": "text/html"}),
    "images accepted": Bad(406, "NOT_ACCEPTABLE", headers={"Accept": "image/*, text/*"}),
    # Bodies
    "20 MB": Bad(413, "PAYLOAD_TOO_LARGE", None, b" " * 20 * MIB),
    "one byte too many": Bad(413, "PAYLOAD_TOO_LARGE", None, b" " * (MIB + 1)),
    "empty": Bad(400, "BAD_REQUEST", "JSON", b""),
    "a batch": Bad(400, "BAD_REQUEST", "SHAPE", b"[" + QUERY + b"]"),
    "a batch of 1,000": Bad(400, "BAD_REQUEST", "SHAPE", b"[" + b",".join([QUERY] * 1_000) + b"]"),
    "an empty batch": Bad(400, "BAD_REQUEST", "SHAPE", b"[]"),
    "a number": Bad(400, "BAD_REQUEST", "SHAPE", b"1"),
    "no UTF-8": Bad(400, "BAD_REQUEST", "ENCODING", b'{"query": "\xff\xfe"}'),
    "UTF-16": Bad(400, "BAD_REQUEST", "ENCODING", QUERY.decode().encode("utf-16")),
    "a surrogate in UTF-8": Bad(400, "BAD_REQUEST", "ENCODING", b'{"query": "\xed\xa0\x80"}'),
    "a byte order mark": Bad(400, "BAD_REQUEST", "JSON", b"\xef\xbb\xbf" + QUERY),
    "half a body": Bad(400, "BAD_REQUEST", "JSON", QUERY[:-5]),
    "two bodies": Bad(400, "BAD_REQUEST", "JSON", QUERY + QUERY),
    "JSON 65 deep": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"[" * 65 + b"]" * 65)),
    "JSON 5,000 deep": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"[" * 5_000 + b"]" * 5_000)),
    "JSON 500,000 deep": Bad(400, "BAD_REQUEST", "JSON", b"[" * 500_000),
    "objects 400,000 deep": Bad(400, "BAD_REQUEST", "JSON", b'{"a":' * 200_000),
    "strings never closed": Bad(400, "BAD_REQUEST", "JSON", b'{"' + b'\\"' * 500_000),
    "a number of 21 digits": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"9" * 21)),
    "a number of 6,000 digits": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"9" * 6_000)),
    "a number of 900,000 digits": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"9" * 900_000)),
    "a fraction beyond all": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"1e999")),
    "NaN": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"NaN")),
    "-Infinity": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"-Infinity")),
    "a lone surrogate": Bad(400, "BAD_REQUEST", "JSON", with_variable(b'"\\ud800"')),
    "a surrogate in a key": Bad(400, "BAD_REQUEST", "JSON", with_variable(b'{"\\udfff": 1}')),
    "NUL": Bad(400, "BAD_REQUEST", "JSON", with_variable(b'"\\u0000"')),
    "raw NUL": Bad(400, "BAD_REQUEST", "JSON", with_variable(b'"\x00"')),
    "one key twice": Bad(
        400, "BAD_REQUEST", "JSON", b'{"query": "{ viewer { account } }", "query": "{ a }"}'
    ),
    "one key twice, deep": Bad(400, "BAD_REQUEST", "JSON", with_variable(b'{"a": 1, "a": 2}')),
    "5,001 members": Bad(400, "BAD_REQUEST", "JSON", with_variable(b"[" + b"1," * 5_000 + b"1]")),
    "300,000 members": Bad(
        400, "BAD_REQUEST", "JSON", with_variable(b"[" + b"1," * 300_000 + b"1]")
    ),
    "variables that are a list": Bad(
        400, "BAD_REQUEST", "SHAPE", b'{"query": "{ viewer { account } }", "variables": [1]}'
    ),
    "a name that is a number": Bad(
        400, "BAD_REQUEST", "SHAPE", b'{"query": "{ viewer { account } }", "operationName": 1}'
    ),
    # Headers
    "a foreign purpose": Bad(
        403, "PURPOSE_REQUIRED", "UNKNOWN", headers={"X-Purpose": "'; DROP TABLE citizen; --"}
    ),
    "a forged case": Bad(403, "FORBIDDEN", "CASE", headers={"X-Case-No": "' OR 1=1 --"}),
    "a forged end user": Bad(400, "BAD_REQUEST", "HEADER", headers={"X-End-User": "*"}),
    "two cases": Bad(
        400, "BAD_REQUEST", "HEADER", headers={"X-Case-No": "A-001", "X-Road-Issue": "B-001"}
    ),
    "a basis nobody knows": Bad(400, "BAD_REQUEST", "HEADER", headers={"X-Legal-Basis": "LAW"}),
    "a message id with words": Bad(
        400, "BAD_REQUEST", "HEADER", headers={"X-Road-Id": "<script>alert(1)</script>"}
    ),
    "a note of 10,000 characters": Bad(
        400, "BAD_REQUEST", "HEADER", headers={"X-Purpose-Note": "a" * 10_000}
    ),
    "no token": Bad(401, "UNAUTHENTICATED", "TOKEN_MISSING", headers={"Authorization": ""}),
    "a token of 10,000 characters": Bad(
        401, "UNAUTHENTICATED", "TOKEN_INVALID", headers={"Authorization": "Bearer " + "a" * 10_000}
    ),
    "a token without a signature": Bad(
        401,
        "UNAUTHENTICATED",
        "TOKEN_INVALID",
        headers={"Authorization": "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30."},
    ),
}


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code, reason; with what every answer has in its head."""
    (error,) = answer.json()["errors"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Vary"] == "Accept, Origin"
    assert "Server" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    told = error["extensions"]
    assert told["docs"] == f"docs/errors/{told['code']}.md"
    assert told["messageEn"]
    assert "data" not in answer.json()
    return answer.status_code, told["code"], told.get("reason")


def honest(client: httpx.Client, served: Served) -> None:
    """An ordinary question is answered."""
    answer = client.post("/graphql", content=QUERY, headers=served.headers())
    assert answer.json()["data"]["viewer"]["account"] == "zhelai-town-01"


@pytest.mark.parametrize("name", REQUESTS)
def test_a_hostile_request_gets_its_refusal(served: Served, name: str) -> None:
    bad = REQUESTS[name]
    headers = served.headers() | dict(bad.headers)
    headers = {k: v for k, v in headers.items() if v}
    with served.client() as client:
        answer = client.request(bad.method, "/graphql", content=bad.body, headers=headers)
        assert refused(answer) == (bad.status, bad.code, bad.reason)
        honest(client, served)


# ---- foreign pages ------------------------------------------------------------------------------


def _preflight(origin: str, asked: str = "POST") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": asked,
        "Access-Control-Request-Headers": "authorization,content-type,x-purpose",
    }


def test_a_foreign_page_is_allowed_nothing(served: Served) -> None:
    with served.client() as client:
        before = client.options("/graphql", headers=_preflight(FOREIGN))
        asked = client.post(
            "/graphql", content=QUERY, headers=served.headers() | {"Origin": FOREIGN}
        )
        nobody = {"Origin": FOREIGN, "Content-Type": "application/json"}
        stranger = client.post("/graphql", content=QUERY, headers=nobody)
    for answer in (before, asked, stranger):
        assert [name for name in answer.headers if name.startswith("access-control")] == []
        assert answer.headers["Vary"] == "Accept, Origin"
    assert (before.status_code, before.content, stranger.status_code) == (204, b"", 401)


def test_a_listed_page_may_ask_and_read(served: Served) -> None:
    with served.client() as client:
        before = client.options("/graphql", headers=_preflight(OURS))
        answer = client.post("/graphql", content=QUERY, headers=served.headers() | {"Origin": OURS})
        refusal = client.post("/graphql", content=b"{", headers=served.headers() | {"Origin": OURS})
    assert (before.status_code, before.headers[ALLOWED]) == (204, OURS)
    assert before.headers["Access-Control-Allow-Methods"] == "POST"
    assert "X-Purpose" in before.headers["Access-Control-Allow-Headers"]
    for told in (answer, refusal):
        assert told.headers[ALLOWED] == OURS
        exposed = set(told.headers["Access-Control-Expose-Headers"].lower().split(", "))
        assert {"x-request-id", "traceparent", "x-audit-id", "ratelimit-remaining"} <= exposed
    for told in (before, answer, refusal):
        assert "access-control-allow-credentials" not in told.headers


def test_a_cookie_is_no_token(served: Served) -> None:
    token = served.headers()["Authorization"]
    headers = {"Content-Type": "application/json", "Cookie": f"token={token}; session={token}"}
    with served.client() as client:
        answer = client.post("/graphql", content=QUERY, headers=headers)
    assert refused(answer) == (401, "UNAUTHENTICATED", "TOKEN_MISSING")


# ---- other addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/", 404, "NOT_FOUND", None),
        ("GET", "/graphql/", 404, "NOT_FOUND", None),
        ("POST", "/graphql/../etc/passwd", 404, "NOT_FOUND", None),
        ("GET", "/.env", 404, "NOT_FOUND", None),
        ("GET", "/graphiql", 404, "NOT_FOUND", None),
        ("POST", "/healthz", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"),
        ("DELETE", "/readyz", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"),
    ],
)
def test_where_nothing_is_the_answer_has_the_errors_own_form(
    served: Served, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    with served.client() as client:
        answer = client.request(method, path)
    assert refused(answer) == (status, code, None)
    given = answer.headers.get("Allow")
    assert (given and ", ".join(sorted(given.split(", ")))) == allow
    assert answer.headers["traceparent"].split("-")[1] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_pages_of_the_process_are_not_kept_either(served: Served, path: str) -> None:
    with served.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers


# ---- bytes --------------------------------------------------------------------------------------


def test_random_bytes_never_fail_the_server(served: Served) -> None:
    chance = random.Random(SEED)
    seen = set()
    with served.client() as client:
        for number in range(300):
            body = chance.randbytes(chance.randrange(1, 400))
            if number % 2:  # almost a question
                whole = bytearray(QUERY)
                for _ in range(chance.randrange(1, 6)):
                    whole[chance.randrange(len(whole))] = chance.randrange(256)
                body = bytes(whole)
            answer = client.post("/graphql", content=body, headers=served.headers())
            assert answer.status_code in (200, 400), (number, answer.text)
            seen.add(answer.status_code)
        honest(client, served)
    assert seen == {200, 400}


def _rest(line: socket.socket) -> bytes:
    """One answer, as long as it says it is."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += line.recv(65_536)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += line.recv(65_536)
    return head + body


def _exchange(served: Served, sent: bytes, wait_s: float = 5.0) -> bytes:
    """What comes back for these bytes until the server closes, or nothing more comes."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=wait_s) as line:
        said = b""
        try:
            line.sendall(sent)
            while chunk := line.recv(65_536):
                said += chunk
                if b"\r\n\r\n" in said and said.rstrip().endswith((b"}", b".")):
                    break
        except OSError:
            pass
        return said


def _head(served: Served, *lines: str, length: int = len(QUERY)) -> bytes:
    given = [f"{n}: {v}" for n, v in served.headers().items()]
    head = ["POST /graphql HTTP/1.1", "Host: hub", *given, f"Content-Length: {length}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n"


def test_many_headers_are_read_and_a_head_without_end_is_not(served: Served) -> None:
    many = [f"X-H{n}: v" for n in range(500)]
    assert _exchange(served, _head(served, *many) + QUERY).startswith(b"HTTP/1.1 200")
    long = [f"X-H{n}: {'v' * 900}" for n in range(400)]
    assert _exchange(served, _head(served, *long) + QUERY).startswith(b"HTTP/1.1 400")
    one = f"X-Long: {'v' * 200_000}"
    assert _exchange(served, _head(served, one) + QUERY).startswith(b"HTTP/1.1 400")
    with served.client() as client:
        honest(client, served)


@pytest.mark.parametrize(
    "lines",
    [
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 5",),
        ("X-Broken",),
        ("X-Fold: a\r\n  b",),
        ("X-Nul: a\x00b",),
    ],
)
def test_a_head_that_says_two_things_reaches_no_question(
    served: Served, lines: tuple[str, ...]
) -> None:
    """Whatever the parser makes of it: an ordinary answer or a refusal of the head, no 5xx."""
    said = _exchange(served, _head(served, *lines) + QUERY)
    assert not said.startswith(b"HTTP/1.1 5")
    assert said == b"" or said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    with served.client() as client:
        honest(client, served)


def test_slow_bodies_hold_nobody_up_and_end_at_the_deadline(served: Served) -> None:
    """Forty bodies that never end: others are answered meanwhile, then each gets its refusal."""
    lines = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(40)]
    try:
        for line in lines:
            line.sendall(_head(served, length=1_000) + b'{"query": "')
        with served.client() as client:
            for _ in range(20):
                honest(client, served)
        ended = [_rest(line) for line in lines]
    finally:
        for line in lines:
            line.close()
    assert {one.split(b"\r\n")[0].split()[1] for one in ended} == {b"504"}
    assert all(b"DEADLINE_EXCEEDED" in one for one in ended)


def test_a_body_that_drips_is_given_no_more_time_than_one_that_stands_still(
    served: Served,
) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", served.port)) as line:
        line.sendall(_head(served, length=MIB))
        line.settimeout(0.2)
        said = b""
        while not said and time.monotonic() - begun < 60:
            line.sendall(b" ")
            try:
                said = line.recv(65_536)
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 504")


def test_what_is_too_large_is_not_read_to_its_end(served: Served) -> None:
    """A body of a gigabyte, told of and begun: the refusal comes after the first megabyte."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(_head(served, length=1024 * MIB) + b" " * (MIB + 70_000))
        assert b"413" in line.recv(65_536).split(b"\r\n")[0]


# ---- cursors, probes ----------------------------------------------------------------------------

PAGE = "query($a: String) { cases(first: 1, after: $a) { pageInfo { endCursor } } }"


def _asked(client: httpx.Client, headers: dict[str, str], **body: Any) -> httpx.Response:
    return client.post("/graphql", json=body, headers=headers)


def test_a_foreign_cursor_is_no_cursor(served: Served) -> None:
    with served.client() as client:
        mine = _asked(client, served.headers(), query=PAGE).json()
        cursor = mine["data"]["cases"]["pageInfo"]["endCursor"]
        neighbour = served.headers("bange-town-01")
        forged = [cursor[:-4] + "AAAA", cursor[::-1], "", "A", "=" * 50, "../" * 20, cursor * 40]
        told = [
            _asked(client, neighbour, query=PAGE, variables={"a": cursor}),
            *(_asked(client, served.headers(), query=PAGE, variables={"a": f}) for f in forged),
        ]
    for answer in told:
        (error,) = answer.json()["errors"]
        extensions = error["extensions"]
        assert (extensions["code"], extensions["reason"]) == ("BAD_USER_INPUT", "BAD_CURSOR")
        assert cursor not in answer.text


PROBES: Mapping[str, str] = {
    "fields of the root": "{ user users me account accounts admin citizenz }",
    "one letter off": '{ citizen(by: {id: "x"}) { idNumbr } }',
    "an argument": '{ citizen(byy: {id: "x"}) { name } }',
    "a type": "{ ... on Citizn { name } }",
    "an input": "{ cases(filter: {stat: CLOSED}) { totalCount } }",
    "an enum value": "{ caseStats(by: [MONHT]) { count } }",
    "a directive": "{ viewer @skp(if: true) { account } }",
    "a variable's type": "query($x: Citzen) { viewer { account } }",
    "a fragment": "{ viewer { ...Viewr } }",
}
"""What tools that rebuild a schema from its error messages ask."""


@pytest.mark.parametrize("name", PROBES)
def test_a_schema_is_not_rebuilt_from_its_errors(served: Served, name: str) -> None:
    with served.client() as client:
        answer = _asked(client, served.headers(), query=PROBES[name])
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    words = ("Did you mean", "是否", "idNumber", "`by`", "`state`", "MONTH", "`skip`")
    assert [word for word in words if word in answer.text] == []


def test_who_may_not_introspect_learns_nothing_by_any_road(served: Served) -> None:
    roads = [
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Query") { name } }',
        "query A { viewer { account } ...F } fragment F on Query { __schema { types { name } } }",
        '{ a: __type(name: "Citizen") { fields { name } } }',
    ]
    with served.client() as client:
        for road in roads:
            answer = _asked(client, served.headers(), query=road)
            (error,) = answer.json()["errors"]
            assert error["extensions"]["code"] == "FORBIDDEN"
            assert "Citizen" not in answer.text
        named = _asked(client, served.headers(), query="{ viewer { __typename } }")
        lab = _asked(client, served.headers("lab", "aid.file"), query=roads[0])
    assert named.json()["data"] == {"viewer": {"__typename": "Viewer"}}
    assert lab.json()["data"] == {"__schema": {"queryType": {"name": "Query"}}}


@pytest.mark.parametrize(
    "asked",
    [
        ("get", {"params": {"query": HONEST}}),
        ("get", {"params": {"query": "mutation { a }"}}),
        ("post", {"data": {"query": HONEST}}),
        ("post", {"files": {"operations": (None, QUERY)}}),
        ("post", {"json": [{"query": HONEST}] * 10}),
        ("post", {"json": {"query": HONEST, "extensions": {"tracing": True}}}),
    ],
    ids=["GET", "mutation by GET", "form", "multipart", "array", "tracing"],
)
def test_the_usual_weaknesses_of_endpoints_are_not_here(
    served: Served, asked: tuple[str, dict[str, Any]]
) -> None:
    method, given = asked
    headers = {k: v for k, v in served.headers().items() if k != "Content-Type"}
    with served.client() as client:
        answer = client.request(method.upper(), "/graphql", headers=headers, **given)
    told = answer.json()
    assert "tracing" not in answer.text
    assert answer.status_code in (400, 405, 415) or "tracing" in str(given)
    assert ("data" in told) is ("tracing" in str(given))


def test_a_hundred_at_once_are_answered_or_told_to_wait(served: Served) -> None:
    with served.client() as client, ThreadPoolExecutor(32) as pool:
        headers = served.headers()
        asked = [
            pool.submit(client.post, "/graphql", content=QUERY, headers=headers) for _ in range(100)
        ]
        statuses = {one.result().status_code for one in asked}
    assert 200 in statuses
    assert statuses <= {200, 429}
