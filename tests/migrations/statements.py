"""Statements sent to a store as they are, whatever release its tables are of."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Row

from store.engine import open_engine


def execute(url: str, *statements: str) -> list[Row[Any]]:
    """Run them in one transaction; the last one's rows."""

    async def run() -> list[Row[Any]]:
        engine = open_engine(url)
        rows: list[Row[Any]] = []
        try:
            async with engine.begin() as connection:
                for statement in statements:
                    result = await connection.execute(text(statement))
                    rows = list(result.all()) if result.returns_rows else []
        finally:
            await engine.dispose()
        return rows

    return asyncio.run(run())
