"""A stranger's bytes into a GraphQL request, or one BadRequest: nothing else can come out.

    UTF-8 → bracket depth outside strings → numbers, constants, duplicate keys → shape
    → no lone surrogate, no NUL, not too many members

The shipped decoder answers invalid UTF-8, deep nesting and long integers with an unhandled
500, takes the last of two equal keys and lets NaN, lone surrogates and NUL through, which
fail only when the answer is written or PostgreSQL refuses them. The size is counted by the
caller while reading. Messages never quote the body.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from hub.limits import JSON_DEPTH, JSON_DIGITS, JSON_MEMBERS

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
SHA256 = "sha256:"
"""How an id begins that is the digest of the document's text."""
STREAM = "text/event-stream"

_STRING = re.compile(r'"(?:[^"\\]++|\\(?:.|\Z))*+"?', re.DOTALL)
_BLANKS = " \t\n\r"  # JSON's own; Python's would be more
_BRACKET = re.compile(r"[\[\]{}]")
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")

SAID = {
    "ENCODING": "请求体不是 UTF-8 文本：请以 UTF-8 编码发送",
    "DEPTH": f"请求体嵌套过深：最多 {JSON_DEPTH} 层",
    "JSON": "请求体不是合法的 JSON：请检查括号、引号与逗号",
    "NUMBER": f"请求体中的数字无法接受：整数最多 {JSON_DIGITS} 位，不接受 NaN 与 Infinity",
    "DUPLICATE": "请求体中有重复的键：每个键只能出现一次",
    "MEMBERS": f"请求体成员过多：最多 {JSON_MEMBERS} 个",
    "TEXT": "请求体的文本中有非法字符：不接受 NUL 与孤立代理码位",
    "BATCH": "不支持批量请求：请每次发送一个操作",
    "SHAPE": "请求体须为 JSON 对象，含文本 query 或 documentId，可含 operationName 与 variables",
    "OBJECT": "请求体须为 JSON 对象",
    "DOCUMENT": "查询标识无法识别：documentId 须为文本（sha256:64 位十六进制，或应用自己的标识），"
    "persistedQuery 须为 version 1 与 sha256Hash",
    "DOCUMENTS": "documentId 与 persistedQuery 所指不同：请只写其一",
}
ENGLISH = {
    "ENCODING": "the body is not UTF-8",
    "DEPTH": f"the body is nested deeper than {JSON_DEPTH} levels",
    "JSON": "the body is not JSON",
    "NUMBER": f"a number has more than {JSON_DIGITS} digits, or is NaN or infinite",
    "DUPLICATE": "an object has one key twice",
    "MEMBERS": f"the body has more than {JSON_MEMBERS} members",
    "TEXT": "a text holds NUL or a lone surrogate",
    "BATCH": "no batches: one operation a request",
    "SHAPE": "the body must be an object with a text `query` or a documentId, with or without"
    " operationName and variables",
    "OBJECT": "the body must be a JSON object",
    "DOCUMENT": "documentId must be a text (sha256: and 64 hex digits, or the client's own id),"
    " persistedQuery must have version 1 and sha256Hash",
    "DOCUMENTS": "documentId and persistedQuery name different documents",
}


@dataclass(slots=True)
class Params:
    """One operation as the client sent it: by its text, by its document's id, or by both.

    `query` is empty without a text; `document` is ``sha256:…`` or an id of the client's own.
    """

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    document: str | None = None


def decode_body(raw: bytes) -> Params:
    """The request's parameters; BadRequest with reason ENCODING, JSON or SHAPE."""
    return params_of(object_of(_utf8(raw)))


def decode_object(raw: bytes) -> Mapping[str, Any]:
    """A body that is one JSON object; BadRequest as above."""
    return object_of(_utf8(raw), "OBJECT")


def check_texts(value: object) -> None:
    """BadRequest JSON for a text that no answer or database takes, whatever it came in."""
    _check_members(value)


def object_of(text: str, said: str = "SHAPE") -> dict[str, Any]:
    """A JSON object; BadRequest with reason JSON, or SHAPE (in the words of `said`)."""
    value = _loads(text)
    if isinstance(value, list):
        raise _bad("SHAPE", "BATCH")
    if not isinstance(value, dict):
        raise _bad("SHAPE", said)
    if not _harmless(text):
        _check_members(value)
    return value


def check_content_type(content_type: str | None, encoding: str | None) -> None:
    """UnsupportedMediaType unless the body is uncompressed JSON in UTF-8.

    Also the guard against forms of foreign pages: they cannot send this type unasked.
    """
    kind, _, parameters = (content_type or "").partition(";")
    charset = [p.strip().lower() for p in parameters.split(";") if p.strip()]
    if kind.strip().lower() != JSON or any(c not in _UTF8 for c in charset):
        raise UnsupportedMediaType("请求须为 Content-Type: application/json（UTF-8）")
    if (encoding or "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("不接受压缩的请求体：请去掉 Content-Encoding")


_UTF8 = frozenset({"charset=utf-8", 'charset="utf-8"', "charset=utf8"})


def takes_stream(accept: str | None) -> bool:
    """Does ``Accept`` name server-sent events? ``*/*`` does not: nobody expects a stream there."""
    return accept is not None and dict(_ranked(accept)).get(STREAM, 0.0) > 0


def answer_type(accept: str | None) -> str:
    """The media type of the answer (protocol 1.2); NotAcceptable if no type of ours is taken.

    graphql-response+json if it is named and not ranked below JSON; else application/json,
    also for ``*/*`` and for no Accept at all. A stream only if no JSON is taken, whatever the
    ranks: urql names it beside JSON on each request, and wants JSON.
    """
    if accept is None or not accept.strip():
        return JSON
    ranks = dict(_ranked(accept))
    modern = ranks.get(GRAPHQL_JSON, 0.0)
    anything = ranks.get("application/*", ranks.get("*/*", 0.0))
    plain = ranks.get(JSON, anything)
    if modern > 0 and modern >= plain:
        return GRAPHQL_JSON
    if plain > 0:
        return JSON
    if ranks.get(STREAM, 0.0) > 0:
        return STREAM
    raise NotAcceptable(f"请在 Accept 中接受 {GRAPHQL_JSON} 或 {JSON}")


def _ranked(accept: str) -> Iterator[tuple[str, float]]:
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        named = dict(p.split("=", 1) for p in parameters if "=" in p)
        if named.get("charset", "utf-8").strip('"') in ("utf-8", "utf8"):
            yield kind, _quality(named.get("q", "1"))


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _bad(reason: str, said: str) -> BadRequest:
    return BadRequest(SAID[said], reason=reason, english=ENGLISH[said])


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("ENCODING", "ENCODING") from None


def _loads(text: str) -> Any:
    _check_depth(text)
    text = text.strip(_BLANKS)
    try:
        value, end = _DECODER.raw_decode(text)
    except ValueError:
        raise _bad("JSON", "JSON") from None
    if end != len(text):
        raise _bad("JSON", "JSON")
    return value


def _check_depth(text: str) -> None:
    # Before the decoder, which recurses. Strings are cut out first; the possessive
    # quantifiers never go back, so that the scan is linear for any body.
    if text.count("[") + text.count("{") <= JSON_DEPTH:
        return
    bare = _STRING.sub("", text)
    if bare.count("[") + bare.count("{") > JSON_MEMBERS:
        raise _bad("JSON", "MEMBERS")
    depth = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in "[{" else -1
        if depth > JSON_DEPTH:
            raise _bad("JSON", "DEPTH")


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > JSON_DIGITS:
        raise _bad("JSON", "NUMBER")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _bad("JSON", "NUMBER")
    return number


def _constant(_name: str) -> float:
    raise _bad("JSON", "NUMBER")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _bad("JSON", "DUPLICATE")
    return found


_DECODER = json.JSONDecoder(
    parse_int=_whole, parse_float=_finite, parse_constant=_constant, object_pairs_hook=_object
)


def _harmless(text: str) -> bool:
    """Can no member be one too many and no text hold what it must not? Said of decoded JSON.

    A container of k members is at least its two brackets, k - 1 commas and what stands in it; by
    induction n members in all are at least 2n + 1 characters. NUL and lone surrogates can only
    be written escaped: raw, JSON forbids the one and UTF-8 the other.
    """
    return len(text) <= 2 * JSON_MEMBERS and "\\u" not in text


def _check_members(value: object) -> None:
    pending, members = [value], 0
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            _check_text(one)
        elif isinstance(one, dict):
            members += len(one)
            pending.extend((*one.keys(), *one.values()))
        elif isinstance(one, list):
            members += len(one)
            pending.extend(one)
        if members > JSON_MEMBERS:
            raise _bad("JSON", "MEMBERS")


def _check_text(text: str) -> None:
    # PostgreSQL refuses NUL; a lone surrogate cannot be written into any answer.
    if _UNWRITABLE.search(text):
        raise _bad("JSON", "TEXT")


_OBJECT = (dict, type(None))  # of `variables` and `extensions` either may be null


def params_of(body: Mapping[str, Any]) -> Params:
    """The parameters of a decoded request; BadRequest SHAPE."""
    query, name = body.get("query"), body.get("operationName")
    variables, extensions = body.get("variables"), body.get("extensions")
    named = name is None or isinstance(name, str)
    mapped = isinstance(variables, _OBJECT) and isinstance(extensions, _OBJECT)
    if not named or not mapped:
        raise _bad("SHAPE", "SHAPE")
    document = None
    if "documentId" in body or extensions:
        document = _document(body.get("documentId"), extensions or {})
    if not isinstance(query, str) and (query is not None or document is None):
        raise _bad("SHAPE", "SHAPE")
    return Params(query or "", name, variables or {}, document)


def _document(named: Any, extensions: Mapping[str, Any]) -> str | None:
    """The id a document is asked by, of either protocol; None for a request without one."""
    persisted = extensions.get("persistedQuery")
    if named is None and persisted is None:
        return None
    found = {one for one in (_named(named), _persisted(persisted)) if one is not None}
    if len(found) > 1:
        raise _bad("SHAPE", "DOCUMENTS")
    return found.pop()


def _named(value: Any) -> str | None:
    """GraphQL over HTTP, appendix on persisted operations."""
    if value is None:
        return None
    if not isinstance(value, str) or not _DOCUMENT_ID.match(value):
        raise _bad("SHAPE", "DOCUMENT")
    return value


def _persisted(value: Any) -> str | None:
    """Apollo's protocol; the hash alone is looked at, nothing is ever registered by it."""
    if value is None:
        return None
    version, digest = (value.get("version"), value.get("sha256Hash")) if _maps(value) else (0, "")
    if version != 1 or not isinstance(digest, str) or not _SHA256.match(digest):
        raise _bad("SHAPE", "DOCUMENT")
    return f"{SHA256}{digest}"


def _maps(value: Any) -> bool:
    return isinstance(value, dict)


_DOCUMENT_ID = re.compile(r"(?:sha256:[0-9a-f]{64}|(?!sha256:)[\w.:/+=-]{1,128})\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
