"""Tables whose rows are never changed: triggers refuse it in both databases.

A second belt beside the roles of production. Migrations have the same texts, frozen; a test
compares them with these.

Rows of `leaving` tables, which have an `idx`, do leave for the archive one day. The same trigger
lets exactly those go that `audit_segment` says have left (DETACHED), and refuses all others as
before: there is no moment without it, and nobody needs the right to take it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

_LEFT = (
    "EXISTS (SELECT 1 FROM {table} WHERE state = 'DETACHED' "
    'AND "first" <= {idx} AND {idx} < "end")'
)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Some tables of one kind: PostgreSQL's `function` raises what `refusal` says."""

    tables: tuple[str, ...]
    function: str
    refusal: str
    leaving: tuple[str, ...] = ()

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
            connection.exec_driver_sql(statement)  # format's %I is no parameter

    def _sqlite(self) -> Iterator[str]:
        for table in self.tables:
            for deed in ("update", "delete"):
                when = ""
                if deed == "delete" and table in self.leaving:
                    when = f"WHEN NOT {_LEFT.format(table='audit_segment', idx='OLD.idx')} "
                yield (
                    f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} {when}"
                    f"BEGIN SELECT RAISE(ABORT, '{self.refusal}'); END"
                )

    def _postgres(self) -> Iterator[str]:
        yield (
            f"CREATE FUNCTION {self.function}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{self.refusal}'; END $$"
        )
        if self.leaving:
            # By the table's own schema: a caller's search_path must not name another table.
            asked = f"SELECT {_LEFT.format(table='%I.audit_segment', idx='$1')}".replace("'", "''")
            yield (
                f"CREATE FUNCTION {self.function}_online() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ DECLARE has_left boolean; BEGIN IF TG_OP = 'DELETE' THEN "
                f"EXECUTE format('{asked}', TG_TABLE_SCHEMA) INTO has_left USING OLD.idx; "
                "IF has_left THEN RETURN OLD; END IF; END IF; "
                f"RAISE EXCEPTION '{self.refusal}'; END $$"
            )
        for table in self.tables:
            function = self.function + ("_online" if table in self.leaving else "")
            yield (
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {function}()"
            )
            # A row trigger does not see TRUNCATE; that needs a statement trigger of its own.
            yield (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {self.function}()"
            )
