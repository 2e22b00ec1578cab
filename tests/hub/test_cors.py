"""Which pages may read answers: those that are listed, and no other is told anything."""

from __future__ import annotations

import pytest

from hub.edge.cors import ASKED, EXPOSED, ORIGIN, Cors, asks_beforehand

OURS, FOREIGN = b"https://desk.example", b"https://evil.example"


def test_a_listed_page_may_read_the_answer_and_its_heads() -> None:
    assert Cors([OURS.decode()]).told(OURS) == (
        (b"access-control-allow-origin", OURS),
        (b"access-control-expose-headers", EXPOSED.encode()),
    )


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        b"null",
        b"*",
        b"",
        OURS + b".evil.example",
        OURS + b"/",
        OURS.upper(),
        b"http://desk.example",
        OURS + b":8443",
        None,
    ],
)
def test_no_other_origin_is_told_anything(origin: bytes | None) -> None:
    cors = Cors([OURS.decode()])
    assert cors.told(origin) == ()
    if origin is not None:
        assert cors.permitted(origin, b"POST") == ()


def test_beforehand_a_listed_page_is_told_what_it_may_send_and_never_cookies() -> None:
    told = dict(Cors([OURS.decode()]).permitted(OURS, b"POST"))
    assert told == {
        b"access-control-allow-methods": b"POST",
        b"access-control-allow-headers": ASKED.encode(),
        b"access-control-max-age": b"600",
    }
    assert "cookie" not in ASKED.lower()


@pytest.mark.parametrize(
    ("method", "headers", "asks"),
    [
        ("OPTIONS", {b"origin": b"x", b"access-control-request-method": b"POST"}, True),
        ("OPTIONS", {b"origin": b"x"}, False),
        ("OPTIONS", {b"access-control-request-method": b"POST"}, False),
        ("POST", {b"origin": b"x", b"access-control-request-method": b"POST"}, False),
    ],
)
def test_only_a_browsers_own_question_is_one(
    method: str, headers: dict[bytes, bytes], asks: bool
) -> None:
    assert asks_beforehand(method, headers) is asks


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("https://desk.example", True),
        ("http://127.0.0.1:5173", True),
        ("http://[::1]:80", True),
        ("https://desk.example/", False),
        ("https://*.example", False),
        ("*", False),
        ("null", False),
        ("HTTPS://desk.example", False),
        ("https://a b", False),
        ("https://user@desk.example", False),
    ],
)
def test_an_origin_is_what_a_browser_writes(text: str, fits: bool) -> None:
    assert bool(ORIGIN.match(text)) is fits
