"""GET and POST /api/rest/{name}/{version}: an approved document without GraphQL around it.

It joins the road where a document would be looked up: the same identity, limits, Plan, record
and door. The variables are the query string of a GET, or the one JSON object of a POST. A GET
whose variables could name somebody is refused, since URLs are kept by whatever they pass.

GET /api/openapi.json describes the documents that this asker may use: his client's, and of these
those of which his post, for this purpose, may read any data set at all. It holds no data and is
recorded like any request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from authz.gate import Gate
from catalog.errors import BadUserInput, HubError, MethodNotAllowed
from hub.edge import decoding
from hub.edge.body import body_of
from hub.edge.decoding import SHA256
from hub.edge.face import Face
from hub.edge.flat import CONTRACT, FLAT, TAGGED, matches
from hub.edge.openapi import described
from hub.edge.passage import Passage
from hub.identity.asking import Headers, text_of
from hub.limits import JSON_DIGITS
from hub.release import Sent, Visit, unchanged
from resolvers.answer import Answer, Question
from resolvers.examination import Examination, VariableTold
from resolvers.plan import Disclosure
from resolvers.refusal import refused
from store.documents import Registered

GET, POST = "GET", "POST"
MUTATION = "mutation"
OPENAPI = "openapi"  # what the record calls the reading of the description
FIELDS = 100  # of a query string; a document has a handful of variables, a list some dozens
_WHOLE = re.compile(rf"-?\d{{1,{JSON_DIGITS}}}\Z", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?\Z", re.ASCII)
_SWITCH = {"true": True, "false": False}


class Rest(Face):
    """The approved documents of every client; one per worker."""

    methods = b"GET, POST"

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        passage = Passage(self._hub, headers, visit)
        passage.media = TAGGED if scope["method"] == GET else FLAT
        try:
            method = _method(scope["method"], headers)
            known = await passage.admit()
            path: Mapping[str, str] = scope["path_params"]
            document = await self._hub.trusted.named(known, path["name"], path["version"])
            told = self._hub.trusted.examiner.examined(document.text)
            if method == GET and told.operation == MUTATION:
                raise MethodNotAllowed("变更操作请用 POST 提交", allow=POST, english="use POST")
            if method == GET:
                variables = in_url(told, scope["query_string"])
            else:
                variables = in_body(told, await body_of(receive, self._hub.settings.deadline_s))
            known = await passage.fresh(known)
            sent = await passage.answer(_question(document, variables), known)
            return _if_changed(sent, headers) if method == GET else sent
        except Exception as error:
            return await passage.refuse(error)


class OpenApi(Face):
    """The description of what an asker may use; one per worker."""

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        passage = Passage(self._hub, headers, visit)
        passage.media = CONTRACT
        try:
            if scope["method"] != GET:
                raise MethodNotAllowed("请用 GET 读取接口说明", allow=GET, english="use GET")
            known = await passage.admit()
            usable = await self._usable(await self._hub.trusted.approved(known), known.gate)
            version = known.gate.book.version
            told = Disclosure(OPENAPI, None, "", (), "OK", None, policy=version)
            answer = Answer(described(usable), True, (), {}, told)
            return await passage.release(answer)
        except Exception as error:
            return await passage.refuse(error)

    async def _usable(
        self, documents: Iterable[Registered], gate: Gate
    ) -> list[tuple[Registered, Examination]]:
        found = []
        for document in documents:
            await asyncio.sleep(0)  # one that is new here takes milliseconds; others wait for one
            try:
                told = self._hub.trusted.examiner.examined(document.text)
            except HubError:
                continue  # it was approved for a schema that is no more
            if not told.roots or not all(refused(gate, root) for root in told.roots):
                found.append((document, told))
        return found


def _method(method: str, headers: Headers) -> str:
    """GET or POST of a request whose media types fit; MethodNotAllowed, NotAcceptable, …"""
    if method not in (GET, POST):
        raise MethodNotAllowed(
            "请用 GET 或 POST 提交", allow=f"{GET}, {POST}", english="use GET or POST"
        )
    accept, kind, encoding = (
        text_of(headers, name) for name in (b"accept", b"content-type", b"content-encoding")
    )
    decoding.answer_type(accept)
    if method == POST:
        decoding.check_content_type(kind, encoding)
    return method


def _question(document: Registered, variables: Mapping[str, Any]) -> Question:
    return Question("", None, variables, f"{SHA256}{document.sha256}")


def _if_changed(sent: Sent, headers: Headers) -> Sent:
    asked, tag = headers.get(b"if-none-match"), dict(sent.headers).get(b"etag")
    if asked is None or tag is None or not matches(asked.decode("latin-1"), tag.decode("latin-1")):
        return sent
    return unchanged(sent)


# ---- variables ---------------------------------------------------------------------------------


def in_body(told: Examination, body: bytes) -> Mapping[str, Any]:
    """The variables of a POST, as JSON; BadRequest, BadUserInput for one nobody declared."""
    given = decoding.decode_object(body)
    _declared(told, given)
    return given


def in_url(told: Examination, query: bytes) -> Mapping[str, Any]:
    """The variables of a GET. MethodNotAllowed if one could name somebody, BadUserInput.

    A list is a name given several times; ``true``, ``false`` and numbers are written plainly.
    """
    if not told.in_url:
        raise MethodNotAllowed(
            "此接口的变量含个人信息或为对象，不得写入网址：请用 POST 提交", allow=POST
        )
    given = _pairs(query)
    _declared(told, given)
    known = {variable.name: variable for variable in told.variables}
    return {name: _value(known[name], texts) for name, texts in given.items()}


def _pairs(query: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=FIELDS,
        )
    except ValueError:
        raise BadUserInput(
            "网址中的参数无法读取：请按 UTF-8 作百分号编码", reason="VARIABLE"
        ) from None
    decoding.check_texts(pairs)
    for name, text in pairs:
        found.setdefault(name, []).append(text)
    return found


def _declared(told: Examination, given: Iterable[str]) -> None:
    """Refuse what no variable is called; its name is the client's text and is not said again."""
    if not {*given} <= {variable.name for variable in told.variables}:
        names = "、".join(f"`{variable.name}`" for variable in told.variables) or "无"
        raise BadUserInput(f"有未声明的变量；此接口的变量：{names}", reason="VARIABLE")


def _value(variable: VariableTold, texts: list[str]) -> Any:
    if variable.many:
        return [_one(variable, text) for text in texts]
    if len(texts) > 1:
        raise _unfit(variable, "只能给一次")
    return _one(variable, texts[0])


def _one(variable: VariableTold, text: str) -> Any:
    """The JSON value of a text, by the variable's type alone; its schema's judge is the engine."""
    if variable.kind == "boolean" and text in _SWITCH:
        return _SWITCH[text]
    if variable.kind == "integer" and _WHOLE.match(text):
        return int(text)
    if variable.kind == "number" and _NUMBER.match(text):
        return float(text)
    if variable.kind == "text":
        return text
    raise _unfit(variable, f"须为 {variable.named}")


def _unfit(variable: VariableTold, why: str) -> BadUserInput:
    return BadUserInput(f"变量 `${variable.name}` 的值不合要求：{why}", reason="VARIABLE")
