"""The store's shape: bring it to the newest, say which it has, say where it differs.

These functions run an event loop of their own: call them from a program or a thread, not
from a coroutine. alembic is imported when called, it costs half a second.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, text

from store.engine import open_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

T = TypeVar("T")


def upgrade(url: str, to: str = "head") -> None:
    """Run the pending migrations of the store at `url`; all of them or none."""
    from alembic import command

    _run(url, lambda connection: command.upgrade(_config(connection), to))


def downgrade(url: str, to: str = "base") -> None:
    """Undo migrations; for tests and emergencies, it drops data."""
    from alembic import command

    _run(url, lambda connection: command.downgrade(_config(connection), to))


def status(
    url: str, *, readonly: bool = False, within_s: float | None = None
) -> tuple[str | None, str | None]:
    """(current, head): the store's revision, None if it is empty, and the program's newest.

    `readonly` leaves the database as it is, and a file that is not there unmade. An OSError
    if it does not answer `within_s`.
    """
    from alembic.migration import MigrationContext

    def revision(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    current = _run(url, revision, readonly=readonly, within_s=within_s)
    return current, _scripts().get_current_head()


def drift(url: str) -> list[str]:
    """Differences between the store and our tables, one line each; empty is good."""
    return _run(url, _differences)


def migrations() -> Path:
    """The folder of migrations: beside pyproject.toml in a checkout, else in the wheel.

    An editable install has a stale copy in ``hub/_alembic``: the checkout's own comes first.
    """
    root = Path(__file__).parents[1]
    if (root / "pyproject.toml").is_file():
        return root / "alembic"
    return root / "hub" / "_alembic"


def _differences(connection: Connection) -> list[str]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from store.tables import FROZEN, metadata

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    with warnings.catch_warnings():
        # SQLite cannot tell an index on an expression; a test compares its text.
        warnings.filterwarnings("ignore", ".*expression-based index")
        found = [_line(d) for d in compare_metadata(context, metadata)]
    needed = {name for one in FROZEN for name in one.trigger_names(connection.dialect.name)}
    missing = needed - _triggers(connection)
    return found + [f"trigger {name} is missing" for name in sorted(missing)]


def _triggers(connection: Connection) -> set[str]:
    source = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    return set(connection.execute(text(source)).scalars())


def _line(difference: Any) -> str:
    if isinstance(difference, list):  # several changes of one column
        return "; ".join(_line(one) for one in difference)
    kind, *about = difference
    return f"{kind} {' '.join(str(getattr(a, 'name', a)) for a in about if a is not None)}"


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(migrations()))


def _run(
    url: str,
    deed: Callable[[Connection], T],
    *,
    readonly: bool = False,
    within_s: float | None = None,
) -> T:
    async def within() -> T:
        engine = open_engine(url, pool_size=1, readonly=readonly)
        try:
            async with asyncio.timeout(within_s), engine.connect() as connection:
                return await connection.run_sync(deed)
        finally:
            await engine.dispose()

    return asyncio.run(within())
