"""A database nobody told the hub of: SQLite under another name, as a third party's dialect is."""

from __future__ import annotations

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite


class Elsewhere(SQLiteDialect_aiosqlite):
    """``elsewhere+aiosqlite:///FILE``; its driver's values are named, as Oracle's are."""

    name = "elsewhere"
    supports_statement_cache = True


registry.register("elsewhere.aiosqlite", __name__, "Elsewhere")
