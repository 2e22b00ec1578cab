"""The smallest county, built once, and a larger one for shares."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub.demo.county import County, build

KEY = b"a county key of thirty-two bytes"

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> County:
    return build(tmp_path_factory.mktemp("county"), scale=0.01, key=KEY)


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory) -> County:
    """48,000 people: enough for shares of a few per mille."""
    return build(tmp_path_factory.mktemp("larger"), scale=0.1, key=KEY)


@pytest.fixture
def ask(county: County) -> Iterator[Ask]:
    """Rows of a SELECT on a source of the smallest county (``hub`` = the register)."""
    opened: dict[str, sqlite3.Connection] = {}

    def asked(source: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if source not in opened:
            file = county.register if source == "hub" else county.source(source)
            opened[source] = sqlite3.connect(file)
        return opened[source].execute(statement, values).fetchall()

    yield asked
    for connection in opened.values():
        connection.close()


@pytest.fixture
def ask_larger(larger: County) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """The same on the larger county's register."""
    connection = sqlite3.connect(larger.register)

    def asked(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return connection.execute(statement, values).fetchall()

    yield asked
    connection.close()
