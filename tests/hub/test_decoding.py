"""A stranger's bytes become a request or one BadRequest, and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from hub.edge.decoding import (
    GRAPHQL_JSON,
    JSON,
    STREAM,
    Params,
    answer_type,
    check_content_type,
    decode_body,
    object_of,
    takes_stream,
)
from hub.limits import JSON_MEMBERS

QUERY = "query A($id: ID) { citizen(id: $id) { name } }"


def refused(raw: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        decode_body(raw)
    return caught.value


def test_a_request_is_read() -> None:
    body = {"query": QUERY, "operationName": "A", "variables": {"id": "x", "n": [1, 2.5, None]}}
    assert decode_body(json.dumps(body).encode()) == Params(QUERY, "A", body["variables"])  # type: ignore[arg-type]


def test_null_is_allowed_and_unknown_members_are_passed_over() -> None:
    body = {"query": QUERY, "operationName": None, "variables": None, "extensions": None, "x": 1}
    assert decode_body(json.dumps(body).encode()) == Params(QUERY, None, {})


@pytest.mark.parametrize(
    ("raw", "reason", "said"),
    [
        (b'{"query": "\xff"}', "ENCODING", "UTF-8"),
        (b"\xef\xbb\xbf{}", "JSON", "合法的 JSON"),
        (b"", "JSON", "合法的 JSON"),
        (b'{"query": "a"', "JSON", "合法的 JSON"),
        (b'{"query": "a"} {}', "JSON", "合法的 JSON"),
        (b'{"query": "a", "query": "b"}', "JSON", "重复的键"),
        (b'{"query": "a", "variables": {"x": {"y": 1, "y": 1}}}', "JSON", "重复的键"),
        (b'{"query": "a", "variables": {"x": NaN}}', "JSON", "NaN"),
        (b'{"query": "a", "variables": {"x": -Infinity}}', "JSON", "NaN"),
        (b'{"query": "a", "variables": {"x": 1e999}}', "JSON", "数字"),
        (b'{"query": "a", "variables": {"x": ' + b"9" * 21 + b"}}", "JSON", "数字"),
        (b'{"query": "a", "variables": {"x": ' + b"9" * 6_000 + b"}}", "JSON", "数字"),
        (b'{"query": "\\ud800"}', "JSON", "代理码位"),
        (b'{"query": "a", "variables": {"\\udfff": 1}}', "JSON", "代理码位"),
        (b'{"query": "a\\u0000"}', "JSON", "NUL"),
        (b"[" * 65 + b"]" * 65, "JSON", "64 层"),
        (b"[" * 5_000, "JSON", "64 层"),
        (b"[" * 500_000, "JSON", "成员过多"),
        (b'{"query": "a", "variables": {"x": [' + b"1," * 5_000 + b"1]}}", "JSON", "成员过多"),
        (b'[{"query": "a"}]', "SHAPE", "批量"),
        (b'"query"', "SHAPE", "对象"),
        (b"null", "SHAPE", "对象"),
        (b"{}", "SHAPE", "对象"),
        (b'{"query": 1}', "SHAPE", "对象"),
        (b'{"query": "a", "operationName": 1}', "SHAPE", "对象"),
        (b'{"query": "a", "variables": []}', "SHAPE", "对象"),
        (b'{"query": "a", "extensions": "x"}', "SHAPE", "对象"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_by_kind(raw: bytes, reason: str, said: str) -> None:
    error = refused(raw)
    assert (error.status, error.reason) == (400, reason)
    assert said in error.message


def test_no_message_quotes_the_body() -> None:
    assert "539922" not in refused(b'{"query": "539922199001011234"').message


def test_brackets_inside_a_text_are_no_depth() -> None:
    text = '\\"' + "{[" * 200
    body = f'{{"query": "{text}", "variables": {{"x": [[1]]}}}}'.encode()
    assert decode_body(body).query == '"' + "{[" * 200


def test_a_depth_of_sixty_four_is_read_and_sixty_five_is_not() -> None:
    def nested(levels: int) -> bytes:
        return b'{"query": "a", "x": ' + b"[" * levels + b"]" * levels + b"}"

    assert decode_body(nested(63)).query == "a"
    assert refused(nested(64)).reason == "JSON"


def test_twenty_digits_are_read() -> None:
    body = b'{"query": "a", "variables": {"x": -' + b"9" * 20 + b"}}"
    assert decode_body(body).variables == {"x": -(10**20 - 1)}


def test_a_surrogate_pair_is_a_character() -> None:
    assert decode_body(b'{"query": "\\ud84c\\uddf2"}').query == "\U000231f2"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"query":"' + b'\\"' * 500_000,
        b'"\\' * 500_000 + b"{" * 100,
        b"[]" * 500_000,
        b'["' + b'","' * 300_000 + b'"],' + b"[]," * 70,
    ],
    ids=["open text", "quotes", "brackets", "texts"],
)
def test_a_hostile_body_of_a_mebibyte_does_not_hold_the_loop(raw: bytes) -> None:
    begun = time.process_time()
    assert refused(raw).reason == "JSON"
    assert time.process_time() - begun < 0.2


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused_and_never_crash(raw: bytes) -> None:
    refused(raw)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), values, max_size=5))
@settings(max_examples=100, deadline=None)
def test_whatever_json_writes_of_plain_values_is_read_back(variables: dict[str, object]) -> None:
    for ascii_only in (True, False):
        raw = json.dumps({"query": "a", "variables": variables}, ensure_ascii=ascii_only)
        assert decode_body(raw.encode()).variables == variables


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, application/json", GRAPHQL_JSON),
        (f"application/json, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.5, application/json", JSON),
        (f"{GRAPHQL_JSON};q=0.5, application/json;q=0.4", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.5, */*", JSON),
        (f"{GRAPHQL_JSON}, application/json;q=0.9, text/event-stream", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0, application/json", JSON),
        ("text/event-stream, */*;q=0.1", JSON),
        ("Application/JSON", JSON),
    ],
)
def test_the_answers_type_follows_accept(accept: str | None, kind: str) -> None:
    assert answer_type(accept) == kind


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/event-stream;q=0",
        "application/json;q=0",
        f"{GRAPHQL_JSON};charset=gbk",
        "application/json;q=x",
        "*/*;q=0",
    ],
)
def test_a_client_that_takes_neither_is_told_so(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        answer_type(accept)
    assert caught.value.status == 406


URQL = (
    f"{GRAPHQL_JSON}, application/graphql+json, application/json, text/event-stream,"
    " multipart/mixed"
)
"""What one client sends with every request, plain queries too."""


@pytest.mark.parametrize(
    ("accept", "takes", "alone"),
    [
        (None, False, False),
        ("*/*", False, False),
        (URQL, True, False),
        ("text/event-stream", True, True),
        ("Text/Event-Stream;charset=utf-8", True, True),
        ("text/event-stream, multipart/mixed", True, True),
        ("text/event-stream, */*;q=0.1", True, False),
        ("text/event-stream, application/json;q=0", True, True),
        ("text/event-stream;q=0", False, False),
        ("multipart/mixed", False, False),
    ],
)
def test_a_stream_is_for_who_takes_it_and_a_querys_for_who_takes_nothing_else(
    accept: str | None, takes: bool, alone: bool
) -> None:
    assert takes_stream(accept) is takes
    if alone:
        assert answer_type(accept) == STREAM
    elif takes:
        assert answer_type(accept) in (JSON, GRAPHQL_JSON)


def test_who_lists_streams_last_beside_json_gets_json() -> None:
    assert answer_type(URQL) == GRAPHQL_JSON
    assert answer_type("text/event-stream, application/json") == JSON


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_json_in_utf8_is_taken(kind: str) -> None:
    check_content_type(kind, None)
    check_content_type(kind, "identity")


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        (None, None),
        ("", None),
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
        ("multipart/form-data; boundary=x", None),
        ("application/graphql", None),
        ("application/json; charset=gb18030", None),
        ("application/json", "gzip"),
    ],
)
def test_forms_texts_and_compressed_bodies_are_refused(
    kind: str | None, encoding: str | None
) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        check_content_type(kind, encoding)
    assert caught.value.status == 415


# ---- a short body without escapes skips the walk over its members -------------------------------

ATOMS = ['"a"', '"k"', '"\\u0000"', '"\\ud800"', '"\0"', "1", "-0", "1.5", "1e999", "NaN", "9" * 21]
MARKS = ["{", "}", "[", "]", ",", ":", '"', "\\", " ", "{}", "[]", '{"query":"a","variables":']
pieces = st.lists(st.sampled_from([*ATOMS, *MARKS]), max_size=30).map("".join)
json_like = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda v: "[" + ",".join(v) + "]")
        | st.lists(st.tuples(st.sampled_from(["k", "l", "\\u006b"]), inner), max_size=3).map(
            lambda v: "{" + ",".join(f'"{k}":{x}' for k, x in v) + "}"
        )
    ),
    max_leaves=12,
).map(lambda text: f'{{"query":"a","variables":{{"x":{text}}}}}')


def outcome(raw: bytes) -> object:
    try:
        return decode_body(raw)
    except BadRequest as error:
        return error.reason, error.message


@given(json_like | pieces)
@settings(max_examples=600, deadline=None)
def test_a_short_body_is_judged_like_the_same_body_among_blanks(text: str) -> None:
    """Blanks change no meaning, but a body of this length is walked through."""
    blanks = " " * (2 * JSON_MEMBERS + 1)
    assert outcome(text.encode()) == outcome((text + blanks).encode())


@pytest.mark.parametrize(
    "dense",
    [
        lambda n: "[" + ",".join(["1"] * n) + "]",
        lambda n: "[" + ",".join(["[]"] * n) + "]",
        lambda n: "[" + ",".join(["[1]"] * (n // 2)) + "]",
        lambda n: "{" + ",".join(f'"{chr(0x4E00 + i)}":1' for i in range(n)) + "}",
    ],
    ids=["numbers", "lists", "lists of one", "one-letter keys"],
)
def test_no_body_of_so_few_characters_has_too_many_members(dense: Callable[[int], str]) -> None:
    for members in (JSON_MEMBERS - 3, JSON_MEMBERS, JSON_MEMBERS + 2):
        text = f'{{"query":"","x":{dense(members)}}}'
        within = members + 2 <= JSON_MEMBERS
        assert (outcome(text.encode()) == Params("", None, {})) is within
        assert within or len(text) > 2 * JSON_MEMBERS


URQL = f"{GRAPHQL_JSON}, application/graphql+json, {JSON}, {STREAM}, multipart/mixed"
"""What urql sends with every request."""


@pytest.mark.parametrize(
    ("accept", "media", "stream"),
    [
        (STREAM, STREAM, True),
        (f"{STREAM}, text/html", STREAM, True),
        (f"Text/Event-Stream;charset=utf-8, {JSON};q=0", STREAM, True),
        (URQL, GRAPHQL_JSON, True),
        (f"{STREAM}, {JSON};q=0.1", JSON, True),
        (f"{STREAM}, */*;q=0.1", JSON, True),
        (f"{STREAM};q=0, {JSON}", JSON, False),
        (JSON, JSON, False),
        ("*/*", JSON, False),
        (None, JSON, False),
    ],
)
def test_a_stream_is_given_to_who_names_it_and_json_to_who_takes_any(
    accept: str | None, media: str, stream: bool
) -> None:
    assert (answer_type(accept), takes_stream(accept)) == (media, stream)


@pytest.mark.parametrize("text", ["", "[]", "1", '"x"', "null", '{"a":1,"a":2}', "{" * 70])
def test_a_message_is_an_object_or_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        object_of(text)


def test_a_message_is_read_by_the_same_rules_as_a_body() -> None:
    assert object_of('{"type": "ping", "x": [1]}') == {"type": "ping", "x": [1]}
