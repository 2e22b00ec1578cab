"""A few invented people as rows of the register, and its table as a Lens is laid over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Table

from catalog.datasets import Dataset

ZHELAI, BENG_E, VILLAGE = "532622205", "532622206", "532622205203"


@dataclass(frozen=True, slots=True)
class Columns:
    """A data set's columns as SQL expressions."""

    table: Any
    columns: dict[str, Any]
    region: Any | None = None
    owner: Any | None = None
    birth: Any | None = None
    bound: Any | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    party: Any | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition."""

    column: str
    op: str
    param: str


def columns_of(dataset: Dataset, table: Table) -> Columns:
    """The table of a data set of the hub's own."""

    def named(name: str | None) -> Any:
        return None if name is None else table.c[name]

    return Columns(
        table,
        {f.name: table.c[f.column] for f in dataset.fields},
        named(dataset.region.column),
        named(dataset.owner),
        named(dataset.birth),
        named(dataset.bound),
        {c.name: c for c in table.c},
        named(dataset.party),
    )


def person(
    key: str,
    name: str,
    id18: str | None,
    birth: date | None,
    phone: str | None,
    region: str,
    household: str | None = None,
) -> dict[str, Any]:
    """A row of the register."""
    return {
        "id": key, "citizen_uid": f"u{key}", "id18": id18, "name": name, "sex": "MALE",
        "birth": birth, "birth_band": "1960–1969", "ethnic": "01", "phone": phone,
        "address": "某街一号", "household_id": household, "region_path": region,
        "region_state": "PLACED", "dq": "", "as_of": date(2026, 11, 1),
    }  # fmt: skip
