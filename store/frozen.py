"""Tables whose rows are never changed: triggers refuse it in both databases.

A second belt beside the roles of production. Migrations have the same texts, frozen; a test
compares them with these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Frozen:
    """Some tables of one kind: PostgreSQL's `function` raises what `refusal` says."""

    tables: tuple[str, ...]
    function: str
    refusal: str

    def trigger_names(self, dialect: str) -> tuple[str, ...]:
        """Names of the triggers that must be there, for the drift check."""
        deeds = ("update", "delete") if dialect == "sqlite" else ("change", "truncate")
        return tuple(f"{table}_no_{deed}" for table in self.tables for deed in deeds)

    def trigger_statements(self, dialect: str) -> tuple[str, ...]:
        """DDL of the triggers."""
        return tuple(self._sqlite() if dialect == "sqlite" else self._postgres())

    def protect(self, connection: Connection) -> None:
        """Create the triggers; after ``metadata.create_all``, which knows only tables."""
        for statement in self.trigger_statements(connection.dialect.name):
            connection.execute(text(statement))

    def _sqlite(self) -> Iterator[str]:
        for table in self.tables:
            for deed in ("update", "delete"):
                yield (
                    f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{self.refusal}'); END"
                )

    def _postgres(self) -> Iterator[str]:
        yield (
            f"CREATE FUNCTION {self.function}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{self.refusal}'; END $$"
        )
        for table in self.tables:
            yield (
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {self.function}()"
            )
            # A row trigger does not see TRUNCATE; that needs a statement trigger of its own.
            yield (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {self.function}()"
            )
