"""Fixtures for rights: the catalogue, the shipped book, askers and invented rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from authz.book import PolicyBook
from authz.post import Asker, Post
from authz.roles import pairs, parents_of, roles
from authz.sharing import shared_rules
from authz.start import start_rules
from catalog.load import Catalog, load

DAY = date(2026, 11, 1)
NewAsker = Callable[..., Asker]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="session")
def book(catalog: Catalog) -> PolicyBook:
    """The production policy."""
    rules = (*start_rules(catalog), *shared_rules(catalog))
    return PolicyBook(41, rules, parents_of(pairs(roles())), catalog)


@pytest.fixture(scope="session")
def demo_book(catalog: Catalog) -> PolicyBook:
    """The production policy and the demonstration's lines."""
    rules = (*start_rules(catalog, demo=True), *shared_rules(catalog))
    return PolicyBook(42, rules, parents_of(pairs(roles())), catalog)


@pytest.fixture(scope="session")
def asker(demo_book: PolicyBook) -> NewAsker:
    """An asker by posts ``(dept, role, base)`` and purpose."""

    def make(
        *posts: tuple[str, str, str],
        purpose: str = "aid.review",
        case_no: str | None = None,
        bound: str | None = None,
        day: date = DAY,
        purchased: bool = False,
    ) -> Asker:
        held: tuple[Post, ...] = tuple(demo_book.post(*one) for one in posts)
        return Asker(
            "zhelai-01",
            "official",
            held,
            purpose,
            day,
            purchased=purchased,
            case_no=case_no,
            bound=bound,
            real_name="张三",
        )

    return make
