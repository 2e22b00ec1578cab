"""The catalogue's words put into rows: after a migration, and whenever the catalogue changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.load import Catalog
from store.accounts import NO_END
from store.staffing import staffing
from store.words import dataset, dataset_field, department, division

Row = dict[str, Any]


async def load_words(connection: AsyncConnection, catalog: Catalog) -> None:
    """Make division, department, dataset, dataset_field and staffing say what `catalog` says.

    Idempotent; in the caller's transaction, so readers see the old words or the new ones.
    """
    await _refill(connection, division, divisions(catalog))
    await _refill(connection, department, _departments(catalog))
    await _refill(connection, dataset, _datasets(catalog))
    await _refill(connection, dataset_field, _fields(catalog))
    await _refill(connection, staffing, _staffing(catalog))


def divisions(catalog: Catalog) -> Iterator[Row]:
    """The county and what lies in it; what is above the county is nobody's region here."""
    places = catalog.divisions.by_path
    for place in places.values():
        yield {
            "path": place.path,
            "code": place.code,
            "name": place.name,
            "level": place.level.value,
            "parent_path": place.parent if place.parent in places else None,
        }


def _departments(catalog: Catalog) -> Iterator[Row]:
    for one in catalog.departments.values():
        yield {"code": one.code, "title": one.title, "short": one.short, "phone": one.phone}


def _datasets(catalog: Catalog) -> Iterator[Row]:
    for one in catalog.datasets.values():
        yield {
            "name": one.name,
            "type_name": one.type,
            "title": one.title,
            "description": one.description,
            "source": one.source,
            "provider": one.provider,
            "object": one.object,
            "sharing_kind": one.sharing.kind.value,
            "sharing_condition": one.sharing.condition,
            "legal_basis": one.legal_basis,
            "update_cycle": one.update_cycle.value,
        }


def _fields(catalog: Catalog) -> Iterator[Row]:
    for one in catalog.datasets.values():
        for position, field in enumerate(one.fields, start=1):
            yield {
                "id": f"{one.name}.{field.name}",
                "dataset": one.name,
                "position": position,
                "name": field.name,
                "title": field.title,
                "value_type": field.type.value,
                "object": field.object,
                "sensitivity": field.sensitivity.value,
                "mask": field.mask.value,
            }


def _staffing(catalog: Catalog) -> Iterator[Row]:
    """All rows of 第十二条, those of other days too."""
    for row in catalog.procedures.staffing_rows:
        for code in row.departments:
            yield {
                "department": code,
                "level": row.level.value,
                "since": row.ground.since,
                "until": row.ground.until or NO_END,
                "accounts": row.accounts,
                "legal_basis": row.ground.legal_basis,
            }


async def _refill(connection: AsyncConnection, table: Table, rows: Iterator[Row]) -> None:
    # No foreign key names these rows, so emptying the table breaks nothing on the way.
    await connection.execute(delete(table))
    await connection.execute(table.insert(), list(rows))
