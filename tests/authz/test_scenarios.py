"""The shipped policy against scenarios a security officer can read."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.post import Asker
from catalog.load import Catalog

NewAsker = Callable[..., Asker]
CASES = tomllib.loads(Path(__file__).with_name("scenarios.toml").read_text(encoding="utf-8"))[
    "case"
]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_scenario(
    case: dict[str, Any], book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    ask = case["ask"]
    posts = [(post["dept"], post["role"], post["base"]) for post in case["posts"]]
    case_no = ask.get("case_no")
    who = asker(*posts, purpose=ask["purpose"], case_no=case_no, bound="h1" if case_no else None)
    owner, minor = ask.get("owner", "rev"), ask.get("minor", False)
    verdict = Gate(book, who, catalog).demand(
        ask["object"], ask["act"], ask["region"], owner, minor
    )
    assert verdict.allowed is (case["expect"] == "allow")
    assert verdict.reason == case.get("reason")
    # Checking a row and listing rows must agree.
    scope = book.scope(who, ask["object"], ask["act"])
    if verdict.reason not in ("CASE", "PURPOSE"):
        assert scope.admits(ask["region"], owner, minor) is verdict.allowed


def test_there_are_enough_scenarios() -> None:
    assert len(CASES) >= 40
    assert len({case["name"] for case in CASES}) == len(CASES)
