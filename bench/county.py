"""The county in databases: generated once, kept as templates, copied for each run.

A run works on a copy, so that a hundred thousand audit records of the last one do not slow the
next, and every run finds the same rows. A template is named after what it was made from.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

from bench.folders import CACHE, digest
from bench.postgres import Server
from bench.volume import statements
from hub.demo.accounts import accounts
from hub.demo.county import AS_OF, SEED, build
from hub.demo.load import load_store
from hub.found import found
from hub.keys import load_keys
from store.migrate import upgrade

PREFIX = "hub_bench_"
SCALES = {1: 0.01, 10: 0.1, 100: 1.0}
"""Per cent of the county -> scale of the generator."""

PEOPLE = ("hub/demo/**/*.py", "catalog/divisions.csv", "catalog/items.toml")
STORE = (
    "alembic/versions/*.py",
    "store/*.py",
    "authz/*.csv",
    "catalog/**/*.toml",
    "hub/found.py",
    "bench/volume.py",
)
ROLE = "hub_bench_town"  # PostGraphile's; roles belong to the server, not to a database
KEYS = CACHE / "keys"


def template(server: Server, percent: int) -> str:
    """The name of the database that holds `percent` of the county, made if it is not there."""
    name = f"{PREFIX}{percent}_{digest((*PEOPLE, *STORE))}"
    known = {row[0] for row in server.rows("SELECT datname FROM pg_database")}
    if name in known:
        return name
    for other in known:
        if other.startswith(f"{PREFIX}{percent}_"):
            drop(server, other)
    draft = f"{PREFIX}draft_{percent}"
    drop(server, draft)
    server.execute(f"CREATE DATABASE {draft}")
    _fill(server.url(draft, "postgresql+asyncpg"), _register(SCALES[percent]))
    for statement in statements(SCALES[percent]):
        server.execute(statement, draft)
    server.execute("VACUUM (ANALYZE)", draft)
    server.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
    return name


def copied(server: Server, source: str, what: str) -> str:
    """A copy of database `source` for this run; its name."""
    name = f"{PREFIX}run_{what}"
    drop(server, name)
    server.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY")
    return name


def clear(server: Server) -> None:
    """Drop what runs left: their copies, and the role that only those know. Templates stay."""
    for row in server.rows("SELECT datname FROM pg_database"):
        if row[0].startswith(f"{PREFIX}run_"):
            drop(server, row[0])
    server.execute(f"DROP ROLE IF EXISTS {ROLE}")


def drop(server: Server, name: str) -> None:
    """Drop a database of the bench."""
    if not name.startswith(PREFIX):
        raise ValueError(f"not a database of the bench: {name}")
    server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def counts(server: Server, database: str) -> dict[str, int]:
    """Rows per table, for the report."""
    tables = ("citizen", "case_file", "case_event", "supervision_order")
    return {table: server.rows(f"SELECT count(*) FROM {table}", database)[0][0] for table in tables}


def _register(scale: float) -> Path:
    """The register file of the county at `scale`, generated if it is not there."""
    folder = CACHE / f"county-{scale:g}"
    mark = folder / "made.json"
    made = {"from": digest(PEOPLE), "scale": scale}
    if not mark.is_file() or json.loads(mark.read_text()) != made:
        shutil.rmtree(folder, ignore_errors=True)
        keys = load_keys(KEYS, create=True)
        build(folder, scale=scale, key=keys.identity, seed=SEED, as_of=AS_OF)
        mark.write_text(json.dumps(made))
    return folder / "register.sqlite"


def _fill(url: str, register: Path) -> None:
    upgrade(url)
    known = [account.principal() for account in accounts("532622205200")]
    asyncio.run(found(url, demo=True, accounts=known))
    asyncio.run(load_store(register, url))
