"""What a browser brings beside its request: the cookie, the form, and whether the form is ours.

A form that changes something must come from a page that was given to this very browser: its word
follows from the cookie (`sessions.csrf_of`), SameSite=Strict keeps the cookie from other sites'
requests, and a browser that says whence the request comes (Sec-Fetch-Site) must say: from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from catalog.errors import BadRequest, Forbidden, UnsupportedMediaType
from hub.edge.body import body_of
from hub.identity.asking import Headers, text_of
from hub.identity.oauth import FORM, Refused, form_of
from hub.identity.sessions import is_csrf

SESSION, FORM_OF_NOBODY = "hub-console", "hub-console-form"
"""Cookies: of who is signed in; of who is about to, so that his form is his browser's own.

Two, because a link from elsewhere comes without the first (SameSite) and must not overwrite it.
"""
SAFE = "__Host-"  # a browser takes it over TLS alone, and from this host alone
TARGET = re.compile(r"/console(?:[/?][\w./?=&%+:~-]*)?\Z", re.ASCII)
MAX_WORDS = 24  # of an address: the longest form of filters has twelve
LONGEST = 512  # characters of one of them


def cookie_of(headers: Headers, safe: bool, cookie: str = SESSION) -> str:
    """The secret a browser brings; empty if it brings none, or two."""
    name = f"{SAFE}{cookie}" if safe else cookie
    pairs = (one.strip().partition("=") for one in (text_of(headers, b"cookie") or "").split(";"))
    found = [value for key, _, value in pairs if key == name]
    return found[0] if len(found) == 1 else ""


def with_cookie(secret: str, safe: bool, cookie: str = SESSION) -> tuple[bytes, bytes]:
    """The head that gives a browser its secret; an empty one takes it back."""
    name = f"{SAFE}{cookie}" if safe else cookie
    parts = [f"{name}={secret}", "Path=/", "HttpOnly", "SameSite=Strict"]
    if safe:
        parts.append("Secure")
    if not secret:
        parts.append("Max-Age=0")
    return (b"set-cookie", "; ".join(parts).encode())


def is_safe(scope: Scope, headers: Headers) -> bool:
    """Is the cookie one for encrypted lines only? Everywhere but at the machine itself."""
    if scope.get("scheme") == "https":
        return True
    host = (text_of(headers, b"host") or "").rpartition(":")[0] or text_of(headers, b"host") or ""
    return not _is_loopback(host.strip("[]"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def words_of(scope: Scope) -> dict[str, str]:
    """The words of the address; of one named twice, the last. BadRequest SHAPE."""
    try:
        raw: bytes = scope.get("query_string", b"")
        pairs = parse_qsl(raw.decode("ascii"), errors="strict", max_num_fields=MAX_WORDS)
    except ValueError:
        raise BadRequest("网址中的参数无法读取", reason="SHAPE") from None
    if any(len(value) > LONGEST for _, value in pairs):
        raise BadRequest("网址中的参数过长", reason="SHAPE")
    return dict(pairs)


async def form_from(
    scope: Scope, headers: Headers, receive: Receive, deadline_s: float
) -> Mapping[str, str]:
    """The fields of a form. BadRequest, PayloadTooLarge, UnsupportedMediaType."""
    kind = (text_of(headers, b"content-type") or "").partition(";")[0].strip().lower()
    if kind.encode() != FORM:
        raise UnsupportedMediaType("请以表单提交")
    body = await body_of(receive, deadline_s)
    try:
        return form_of(body)
    except Refused:
        raise BadRequest("表单无法读取", reason="SHAPE") from None


def demand_own(form: Mapping[str, str], headers: Headers, secret: str) -> None:
    """Forbidden FORM for a form that no page of this browser's session has sent."""
    whence = text_of(headers, b"sec-fetch-site")
    if whence not in (None, "same-origin") or not is_csrf(secret, form.get("csrf", "")):
        raise Forbidden(
            "表单已失效或不是从本控制台提交的：请返回页面重新提交",
            reason="FORM",
        )


def target_of(text: str, otherwise: str) -> str:
    """Where to go next: a page of the console, never another address."""
    plain = TARGET.match(text) and "//" not in text and len(text) <= LONGEST * 4
    return text if plain else otherwise
