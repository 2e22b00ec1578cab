"""Rows under their citizen's rights: a department's tables, asked by key. Pure: no connection.

Values come as the source writes them and are decoded later; keys and the name it is graded by
come as text. A nest may ride as JSON where the database writes JSON as we do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from sqlalchemy import MetaData, String, case, literal_column, or_, select

from adapters.contract import EXTRA, KEY, ReadRequest, Ride
from adapters.databases.dialect import Dialect, Plain
from adapters.databases.riding import Built
from adapters.databases.tables import Tables
from catalog.datasets import Dataset
from catalog.grades import Mask


class Keyed:
    """Builds such statements of one database; `json` if nests may ride in them."""

    def __init__(self, dialect: Plain, metadata: MetaData | None, json: Dialect | None) -> None:
        self._dialect, self._json = dialect, json
        self._tables, self._ours = Tables(metadata), metadata is not None

    def keyed(self, request: ReadRequest) -> Built:
        """SELECT by key from a department's own table."""
        dataset = request.dataset
        by_key = request.key in ("identity", "division")
        key_columns = dataset.key.columns if by_key else (str(request.key),)
        riding = [r.parent[len(EXTRA) :] for r in request.rides]
        raw = [n[len(EXTRA) :] for n in request.extra if n.startswith(EXTRA)]
        at, joined = self._tables.source(
            dataset, [EXTRA + c for c in (*key_columns, *riding, *raw)]
        )
        own = _concatenated([at(c) for c in key_columns])
        found: dict[str, Any] = {KEY: self._text(own)}
        if dataset.person_name:
            found["__name"] = self._text(at(dataset.person_name))
        for name in request.columns:
            if _kept(request, name):
                found[name] = at(dataset.by_name[name].column)
        for name in raw:
            found[EXTRA + name] = self._text(at(name))
        for ride in request.rides:
            found |= self._ride(ride, at(ride.parent[len(EXTRA) :]))
        statement = select(*(value.label(name) for name, value in found.items()))
        statement = statement.select_from(joined).where(self._listed(own, "keys"))
        if request.codes and dataset.region.column:
            statement = statement.where(self._listed(at(dataset.region.column), "codes"))
        return statement.order_by(*self._order(dataset, at)), tuple(found)

    def _text(self, expression: Any) -> Any:
        return expression if self._ours else self._dialect.text(expression)

    def _listed(self, expression: Any, name: str) -> Any:
        if self._ours and self._json is not None:
            return self._json.keys(expression, name)
        return self._dialect.listed(expression, name)

    def _order(self, dataset: Dataset, at: Any) -> list[Any]:
        return [self._dialect.ordered(at(column), down) for column, down in dataset.order]

    def _ride(self, ride: Ride, above: Any) -> dict[str, Any]:
        """A nest of the department's own tables; its person is the facet's, so no subjects."""
        json = self._json
        assert json is not None  # noqa: S101  nothing rides in a source that is read in rows
        dataset = ride.request.dataset
        at, joined = self._tables.source(dataset, [EXTRA + ride.child])
        members = []
        holes = []
        for output in ride.outputs:
            value: Any = literal_column("NULL")
            if output.constant is not None:
                value = literal_column(f"'{output.constant}'", String)
            elif output.column is not None:
                value = self._text(at(dataset.by_name[output.column].column))
                holes += [value.is_(None)] if output.required else []
            members.append((output.key, value))
        item = json.json_object(members)
        if holes:
            item = case((or_(*holes), json.hole()), else_=item)
        rows = select(item.label("item")).select_from(joined).where(at(ride.child) == above)
        rows = rows.correlate(above.table).order_by(*self._order(dataset, at))
        items = rows.limit(json.everything).subquery()
        told = select(literal_column("''", String).label("one")).select_from(joined)
        ones = told.where(at(ride.child) == above).correlate(above.table).subquery()
        return {
            f"__json_{ride.name}": select(json.json_list(items.c.item)).scalar_subquery(),
            f"__side_{ride.name}": select(json.joined(ones.c.one)).scalar_subquery(),
        }


def _kept(request: ReadRequest, name: str) -> bool:
    """False for a column whose mask leaves nothing: it is not even selected."""
    mask = (request.masks or {}).get(name, Mask.NONE)
    return mask not in (Mask.HIDE, Mask.BAND)


def _concatenated(columns: Sequence[Any]) -> Any:
    # Not op("||"): that is OR in MariaDB.
    return reduce(lambda whole, column: whole.concat(_SLASH).concat(column), columns)


_SLASH: Any = literal_column("'/'", String)
