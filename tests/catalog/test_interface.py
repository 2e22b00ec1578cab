"""The words of an HTTP interface: read strictly, filled slot by slot."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from catalog.errors import CatalogError
from catalog.interface import Interface, Login, filled, read_interface
from catalog.load import load
from catalog.table import Table

WORDS = """
path = "/rsrest/$table"
rows = "result.rows"
body = { ids = "$keys", page = "$page" }
"""


def read(text: str) -> Interface:
    return read_interface(Table("x.toml", "source.rest", tomllib.loads(text)))


def test_what_is_not_said_has_its_usual_value() -> None:
    found = read(WORDS)
    assert (found.batch, found.page, found.charset) == (100, 100, "utf-8")
    assert (found.total, found.success, found.headers) == (None, None, {})
    assert found.credential.kind is Login.NONE
    assert found.rows == ("result", "rows")


def test_an_interface_without_a_page_number_has_one_page() -> None:
    assert read(WORDS).paged
    assert not read(WORDS.replace(', page = "$page"', "")).paged


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [
        ('"/rsrest/$table"', '"rsrest"', "path: must be a plain path"),
        ('"/rsrest/$table"', '"/a/../b"', "path: must be a plain path"),
        ('"/rsrest/$table"', '"//host/x"', "path: must be a plain path"),
        ('"/rsrest/$table"', '"/x?key=1"', "path: must be a plain path"),
        ('"$keys"', '"nobody"', "body: asks for nobody"),
        ('"$keys"', '"$idnumbers"', "body: `$idnumbers` is no slot"),
        ('"$keys"', '"$key"', "batch: must be 1"),
        ('"$keys"', '"$secret"', "body: `$secret` is no slot"),
        ("rows =", 'charset = "klingon"\nrows =', "charset: `klingon` is no charset"),
        ("rows =", "batch = 0\nrows =", "batch: must be 1 or more"),
        ("rows =", 'expired = "-401"\nrows =', "success: is missing"),
        ("rows =", 'token = "geheim"\nrows =', "token: is unknown"),
        ("rows =", 'headers = { "X Y" = "1" }\nrows =', "headers: `X Y` is no header's name"),
        ("rows =", 'credential = { kind = "basic" }\nrows =', "credential.kind: `basic`"),
        ("rows =", 'credential = { kind = "header" }\nrows =', "credential.header: is missing"),
        (
            "rows =",
            'credential = { kind = "header", header = "appKey", secret = "x" }\nrows =',
            "credential.secret: is unknown",
        ),
    ],
)
def test_a_wrong_word_is_named_with_its_remedy(before: str, after: str, remedy: str) -> None:
    assert before in WORDS
    with pytest.raises(CatalogError) as caught:
        read(WORDS.replace(before, after, 1))
    assert str(caught.value).startswith(f"x.toml: source.rest.{remedy}")


def test_slots_are_filled_wherever_they_stand() -> None:
    body: dict[str, Any] = {"a": ["$page", {"b": "$keys"}], "c": "plain $page", "d": 1}
    assert filled(body, {"$page": 3, "$keys": ["x"]}) == {
        "a": [3, {"b": ["x"]}],
        "c": "plain $page",
        "d": 1,
    }


def test_the_three_interfaces_of_the_county_differ_in_words_alone() -> None:
    sources = load().sources
    kinds = {n: s.rest.credential.kind for n, s in sources.items() if s.rest is not None}
    assert kinds == {
        "rs_jiuye": Login.TOKEN,
        "sj_exchange": Login.SIGNATURE,
        "yb_settle": Login.HEADER,
    }
