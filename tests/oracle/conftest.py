"""The oracle: graphql-core with one plain resolver a field, over the same rows, for `lab`.

It knows no Plan, no Lens and no statement: rows are dictionaries, an edge is a loop over a
table. `lab` may read every row and unmask none, so a masked column is masked here by hand.
"""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    execute_sync,
    get_named_type,
    is_list_type,
    is_non_null_type,
    parse,
)

from adapters.identity import canonical
from authz.mask import masked
from catalog.datasets import Dataset, Field, FieldType
from catalog.grades import Mask
from catalog.load import Catalog
from resolvers.binding import Bindings, ColumnOf, ContextOf, EdgeTo, PartOf, RootOf
from schema.build import build

_FILE = Path(__file__).parents[1] / "resolvers" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("tests_resolvers_conftest", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
_shared: Any = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = _shared
_SPEC.loader.exec_module(_shared)

# The county, its desk and the documents are those of tests/resolvers.
runner, site, catalog, bindings = _shared.runner, _shared.site, _shared.catalog, _shared.bindings
desk, facts, document, plain = _shared.desk, _shared.facts, _shared.document, _shared.plain

Row = dict[str, Any]
CURSOR = "c" * 120  # cursors are sealed: only where there is one can be compared
PAGE_DEFAULT, PAGE_MAX = 20, 100
SAID_PAGE = "每页行数 `{}` 超出范围：请用 0 到 100"


class Tables:
    """Every row of the hub's own store, by data set."""

    def __init__(self, file: Path, catalog: Catalog) -> None:
        self.catalog = catalog
        connection = sqlite3.connect(file)
        connection.row_factory = sqlite3.Row
        self._rows = {
            name: self._sorted(dataset, connection)
            for name, dataset in catalog.datasets.items()
            if dataset.source == "hub"
        }
        connection.close()
        self._index: dict[tuple[str, str], dict[Any, list[Row]]] = {}
        self.places = {row["path"]: row["name"] for row in self._rows["division"]}

    def _sorted(self, dataset: Dataset, connection: sqlite3.Connection) -> list[Row]:
        rows = [dict(r) for r in connection.execute(f"SELECT * FROM {dataset.table}")]
        for column, down in reversed(dataset.order):
            rows.sort(key=lambda row: row[column], reverse=down)
        return rows

    def rows(self, name: str, /, **wanted: Any) -> list[Row]:
        """Rows in the data set's order whose raw columns have these values (None: any)."""
        given = {k: v for k, v in wanted.items() if v is not None}
        if not given:
            return self._rows[name]
        (column, value), *more = given.items()
        found = self._by(name, column).get(value, [])
        return [r for r in found if all(r[k] == v for k, v in more)]

    def _by(self, name: str, column: str) -> Mapping[Any, list[Row]]:
        """A table's rows by one column, in their order; made when first asked."""
        if (name, column) not in self._index:
            index: dict[Any, list[Row]] = {}
            for row in self._rows[name]:
                index.setdefault(row[column], []).append(row)
            self._index[name, column] = index
        return self._index[name, column]

    def inside(self, name: str, code: str | None, /, **wanted: Any) -> list[Row]:
        """The same, at or below a division."""
        rows = self.rows(name, **wanted)
        if code is None:
            return rows
        path = self.path(code)
        return [r for r in rows if r["region_path"].startswith(path)]

    def path(self, code: str) -> str:
        """The path of a division code; a GraphQL error if there is none."""
        found = self.rows("division", code=code)
        if not found:
            known = len(code) in (6, 9, 12) and code.isdigit()
            shown = f" `{code}`" if known else ""
            raise GraphQLError(f"没有区划代码{shown}：请用砚山县的 12 位国家统计局代码")
        return str(found[0]["path"])

    def value(self, dataset: Dataset, field: Field, row: Row) -> Any:
        """A column as `lab` may see it, in its wire form."""
        raw = row[field.column]
        if field.mask is not Mask.NONE:
            return masked(field.mask, raw, self.places.get(row.get("region_path", "")))
        if raw is None:
            return None
        if field.type is FieldType.BOOL:
            return bool(raw)
        if field.type is FieldType.LINES:
            return raw.split()
        if field.type is FieldType.DATETIME:
            local = datetime.fromisoformat(raw) + timedelta(hours=8)
            return local.strftime("%Y-%m-%dT%H:%M:%S+08:00")
        return raw


# ---- roots -------------------------------------------------------------------------------------


def code_of(value: Any) -> Any:
    return getattr(value, "value", value)


def citizen(tables: Tables, by: Mapping[str, Any]) -> list[Row]:
    if by.get("idNumber") is None:
        return tables.rows("citizen", id=by["id"])
    number = canonical(by["idNumber"]).id18
    if number is None:
        raise GraphQLError("证件号码不正确：请核对位数、出生日期与校验码")
    return tables.rows("citizen", id18=number)


def cases(tables: Tables, filter: Mapping[str, Any] | None = None, **_page: Any) -> list[Row]:
    given = filter or {}
    return tables.inside(
        "case",
        given.get("division"),
        state=code_of(given.get("state")),
        item=code_of(given.get("item")),
        overdue=given.get("overdue"),
        handling_dept=given.get("department"),
    )


def orders(tables: Tables, filter: Mapping[str, Any] | None = None, **_page: Any) -> list[Row]:
    given = filter or {}
    return tables.inside(
        "supervision_order",
        given.get("division"),
        state=code_of(given.get("state")),
        kind=code_of(given.get("kind")),
    )


def divisions(tables: Tables, level: Any = None, parent: str | None = None) -> list[Row]:
    above = None if parent is None else tables.path(parent)
    return tables.rows("division", level=code_of(level), parent_path=above)


ROOTS: Mapping[str, Callable[..., list[Row]]] = {
    "citizen": citizen,
    "citizens": lambda t, division=None, **_page: t.inside("citizen", division),
    "household": lambda t, id: t.rows("household", id=id),
    "division": lambda t, code: t.rows("division", path=t.path(code)),
    "divisions": divisions,
    "department": lambda t, code: t.rows("department", code=code),
    "departments": lambda t: t.rows("department"),
    "dataset": lambda t, name: t.rows("dataset", name=name),
    "datasets": lambda t, provider=None: t.rows("dataset", provider=provider),
    "case": lambda t, caseNo: t.rows("case", case_no=caseNo),
    "cases": cases,
    "supervision_order": lambda t, orderNo: t.rows("supervision_order", order_no=orderNo),
    "supervision_orders": orders,
}


# ---- one resolver a field ----------------------------------------------------------------------


def page(rows: list[Row], args: Mapping[str, Any]) -> dict[str, Any]:
    """A connection of rows; cursors are only refused here, never followed."""
    first, last = args.get("first"), args.get("last")
    if first is not None and last is not None:
        raise GraphQLError("first 与 last 只能用一个")
    size = next((n for n in (first, last) if n is not None), PAGE_DEFAULT)
    if not 0 <= size <= PAGE_MAX:
        raise GraphQLError(SAID_PAGE.format(size))
    if args.get("before" if last is not None else "after") is not None:
        raise GraphQLError("游标无效：请从第一页重新开始")
    shown = rows[len(rows) - min(size, len(rows)) :] if last is not None else rows[:size]
    more = len(rows) > size
    end = CURSOR if shown else None
    return {
        "nodes": shown,
        "edges": [{"cursor": CURSOR, "node": row} for row in shown],
        "totalCount": len(rows),
        "pageInfo": {
            "hasNextPage": more and last is None,
            "hasPreviousPage": more and last is not None,
            "startCursor": end,
            "endCursor": end,
        },
    }


def shaped(kind: Any, rows: list[Row], args: Mapping[str, Any]) -> Any:
    """Rows as the field's type wants them: a page, a list or one."""
    if get_named_type(kind).name.endswith("Connection"):
        return page(rows, args)
    bare = kind.of_type if is_non_null_type(kind) else kind
    if is_list_type(bare):
        return rows
    return rows[0] if rows else None


def resolver(
    tables: Tables, made: Bindings, type_name: str, name: str, kind: Any
) -> Callable[..., Any] | None:
    binding = made.of(type_name, name)
    if isinstance(binding, RootOf) and binding.name in ROOTS:
        root = ROOTS[binding.name]
        return lambda _row, _info, **args: shaped(kind, root(tables, **args), args)
    if isinstance(binding, ColumnOf):
        dataset = tables.catalog.datasets[made.datasets[type_name]]
        field = dataset.by_name[binding.column]
        return lambda row, _info: tables.value(dataset, field, row)
    if isinstance(binding, EdgeTo):
        return _edge(tables, binding, kind)
    if isinstance(binding, ContextOf):
        return lambda _row, _info: _shared.VIEWER
    if isinstance(binding, PartOf):
        return lambda value, _info: value[name]
    return None  # facets, access, provenance: issue 3 widens the oracle to them


def _edge(tables: Tables, binding: EdgeTo, kind: Any) -> Callable[..., Any]:
    def resolve(row: Row, _info: Any, **args: Any) -> Any:
        key = row[binding.parent]
        found = [] if key is None else tables.rows(binding.dataset, **{binding.child: key})
        return shaped(kind, found, args)

    return resolve


class Oracle:
    """graphql-core over the tables."""

    def __init__(self, tables: Tables, made: Bindings) -> None:
        self.schema: GraphQLSchema = made.schema
        self.resolved = 0
        for type_name, kind in made.schema.type_map.items():
            if isinstance(kind, GraphQLObjectType) and not type_name.startswith("__"):
                kind.is_type_of = None
                for name, field in kind.fields.items():
                    field.resolve = resolver(tables, made, type_name, name, field.type)
                    self.resolved += field.resolve is not None

    def answer(self, text: str, variables: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """data and errors (message, path, locations), as a client reads them."""
        result = execute_sync(self.schema, parse(text), variable_values=dict(variables))
        errors = [e.formatted for e in result.errors or ()]
        return result.data, [(e["message"], e.get("path"), e.get("locations")) for e in errors]


@pytest.fixture(scope="session")
def oracle(site: Any, catalog: Catalog) -> Oracle:
    """On a second build of the schema: the product's own has no resolvers."""
    return Oracle(Tables(site.folder / "store.sqlite", catalog), build(catalog))
