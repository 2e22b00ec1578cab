"""One MetaData for every table of the store, with names that migrations can rely on."""

from __future__ import annotations

from sqlalchemy import MetaData, String, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Region paths and keys are compared by byte: '9' + 1 is ':', which a linguistic
# collation would sort elsewhere (authorisation 3).
BYTES = String(64, collation="C").with_variant(String(64), "sqlite")
PATH = String(12, collation="C").with_variant(String(12), "sqlite")

# A township's rows in the order of a list: authz/scope.py compares these very words.
TOWNSHIP = text("substr(region_path, 1, 9)")


def region_shape(column: str) -> str:
    """A CHECK: county (6), township (9) or village (12 digits), trailing 000 groups cut."""
    return (
        f"length({column}) IN (6, 9, 12) AND substr({column}, 1, 6) = '532622'"
        f" AND substr({column}, 7, 3) <> '000' AND substr({column}, 10, 3) <> '000'"
    )
