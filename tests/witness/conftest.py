"""A witness as its office runs it: the console script, files of its own, a real port."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from audit.note import VerifierKey
from tests.witness.office import Office, prepared
from tests.witness.signed_log import SignedLog

NAME = "audit.invalid/w1"
LOGS = 60  # each test takes one that no other uses

NewLog = Callable[[], SignedLog]


@pytest.fixture(scope="session")
def pool() -> tuple[SignedLog, ...]:
    return tuple(SignedLog(f"demo.invalid/hub/{n}/sha256") for n in range(LOGS))


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory, pool: tuple[SignedLog, ...]) -> Office:
    """The files of a witness that knows the logs of the pool."""
    return prepared(tmp_path_factory.mktemp("office"), NAME, [log.vkey for log in pool])


@pytest.fixture(scope="session")
def witness(office: Office) -> Iterator[httpx.Client]:
    """A client of the serving witness."""
    with (
        office.serving() as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def key(office: Office) -> VerifierKey:
    return office.key


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def log(pool: tuple[SignedLog, ...], numbers: Iterator[int]) -> SignedLog:
    """A log that the witness has seen nothing of yet."""
    return pool[next(numbers)]


@pytest.fixture
def plain() -> dict[str, str]:
    """Our environment without settings of a witness."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WITNESS_")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
