"""OpenAPI 3.1 of approved documents: variables, answers and problems, described in Chinese.

What is described is chosen by `hub/edge/rest.py`; here are only words, no data and no rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.edge.decoding import JSON
from hub.edge.flat import PROBLEM
from resolvers.examination import Examination, VariableTold
from store.documents import Registered

VERSION = "3.1.0"
ABOUT = (
    "经批准的受信查询。看不到的内容为 null，原因见 access 与 extensions.fields；"
    "每次访问在给出数据之前先留痕。"
)
ERRORS = {
    "400": "变量不合要求，或操作过大",
    "401": "没有有效的令牌",
    "403": "没有说明用途，权限规则不允许，或受信查询已经停用",
    "404": "没有此名称与版本的接口",
    "405": "请求方法不对",
    "429": "请求过多",
    "503": "数据源或访问记录不可用",
}
HEADERS = {
    "X-Purpose": ("用途代码；令牌只有一个用途时可省略", "^[a-z][a-z0-9_.]{0,31}$"),
    "X-Case-No": ("诉求编号或督办单号；用途要求时必填", "^[A-Z0-9][A-Z0-9-]{3,31}$"),
}


def described(documents: list[tuple[Registered, Examination]]) -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": VERSION,
        "info": {
            "title": "数据共享中心",
            "version": "1",
            "description": ABOUT,
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {_path(one): _methods(one, told) for one, told in documents},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {name: _header(name, *about) for name, about in HEADERS.items()},
            "responses": {"Problem": _problem()},
            "schemas": {"Problem": PROBLEM_OUTLINE, "Extensions": EXTENSIONS_OUTLINE},
        },
    }


def _path(document: Registered) -> str:
    return f"/api/rest/{document.name}/{document.version}"


def _methods(document: Registered, told: Examination) -> dict[str, Any]:
    parameters = [{"$ref": f"#/components/parameters/{name}"} for name in HEADERS]
    post: dict[str, Any] = _method(document, told, "post")
    post["requestBody"] = {"required": True, "content": {JSON: {"schema": _body(told)}}}
    found: dict[str, Any] = {"parameters": parameters, "post": post}
    if told.in_url:
        get = _method(document, told, "get")
        get["parameters"] = [_parameter(v, told.given[v.name]) for v in told.variables]
        get["responses"]["304"] = {"description": "与 If-None-Match 所指相同；同样留痕"}
        found["get"] = get
    return found


def _method(document: Registered, told: Examination, method: str) -> dict[str, Any]:
    sets = "、".join(read.title for read in told.reads) or "无"
    answers: dict[str, Any] = {
        status: {"$ref": "#/components/responses/Problem"} for status in sorted(ERRORS)
    }
    answers["200"] = {
        "description": "数据；部分取不到时另有 errors",
        "content": {JSON: {"schema": _answer(told.answer)}},
    }
    return {
        "operationId": f"{method}{document.name}{document.version}",
        "summary": f"{document.name} 第 {document.version} 版",
        "description": f"读取的数据集：{sets}",
        "responses": answers,
    }


def _body(told: Examination) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "properties": dict(told.given),
        "additionalProperties": False,
    }
    required = [variable.name for variable in told.variables if variable.required]
    return made | ({"required": required} if required else {})


def _parameter(variable: VariableTold, outline: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": variable.name,
        "in": "query",
        "required": variable.required,
        "schema": dict(outline),
    }


def _answer(outline: Mapping[str, Any]) -> dict[str, Any]:
    """The flat answer: the root fields, and beside them what the hub says of them."""
    beside = {
        "errors": {"type": "array", "items": {"type": "object"}, "description": "取不到的部分"},
        "extensions": {"$ref": "#/components/schemas/Extensions"},
    }
    required = [*outline.get("required", ()), "extensions"]
    return {**outline, "properties": outline["properties"] | beside, "required": required}


def _header(name: str, about: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "description": about, "schema": schema}


def _problem() -> dict[str, Any]:
    words = "；".join(f"{status} {about}" for status, about in ERRORS.items())
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": f"错误：{words}", "content": {PROBLEM: {"schema": schema}}}


PROBLEM_OUTLINE: Mapping[str, Any] = {
    "type": "object",
    "description": "RFC 9457；code 与 reason 同 GraphQL 的错误",
    "required": ["type", "title", "status", "detail", "code", "requestId", "retryable"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "中文说明"},
        "code": {"type": "string", "description": "错误代码，见 docs"},
        "reason": {"type": "string"},
        "messageEn": {"type": "string"},
        "retryable": {"type": "boolean", "description": "同一请求稍后再试是否有用"},
        "docs": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "extensions": {"$ref": "#/components/schemas/Extensions"},
    },
}
EXTENSIONS_OUTLINE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "audit": {
            "type": "object",
            "description": "回执：本次访问的记录",
            "properties": {
                "idx": {"type": "integer"},
                "leaf": {"type": "string"},
                "log": {"type": "string"},
            },
        },
        "cost": {"type": "integer"},
        "policyVersion": {"type": "integer"},
        "sources": {"type": "array", "items": {"type": "object"}},
        "fields": {"type": "array", "items": {"type": "object"}},
        "errorsOmitted": {"type": "integer"},
    },
}
