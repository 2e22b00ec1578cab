"""Another department's subgraph beside the hub's: visits, joined to it by keys alone.

    python examples/gateways/visits.py --port 8812   ->   ready http://127.0.0.1:8812/graphql

It knows of a person his global id and of a case its number, and gives a gateway what it has of
them; names and everything else the gateway fetches from the hub, in the name of whoever asks.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from graphql import GraphQLSchema, build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

HERE = Path(__file__).parent
SDL = (HERE / "visits.graphql").read_text(encoding="utf-8")
MACHINERY = """
scalar _Any
union _Entity = Citizen | Case
type _Service { sdl: String! }
extend type Query { _service: _Service! _entities(representations: [_Any!]!): [_Entity]! }
"""
KEYS = {"Citizen": "id", "Case": "caseNo"}

Row = Mapping[str, Any]


def visits(file: Path) -> list[Row]:
    """The visits of a table, as the schema wants them."""
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    found: list[dict[str, Any]] = []
    for row in rows:
        citizen = {"__typename": "Citizen", "id": row["citizen"]} if row["citizen"] else None
        case = {"__typename": "Case", "caseNo": row["case"]} if row["case"] else None
        found.append({**row, "citizen": citizen, "case": case})
    return found


def schema() -> GraphQLSchema:
    """The subgraph's schema; values are the rows' own, so that no field needs a function."""
    return build_schema(SDL + MACHINERY, assume_valid_sdl=True)


def answered(made: GraphQLSchema, rows: list[Row], asked: Mapping[str, Any]) -> dict[str, Any]:
    """One question, answered from these rows."""

    def entity(sent: Mapping[str, Any]) -> Row:
        kind, key = sent["__typename"], KEYS[sent["__typename"]]
        field = kind.lower()
        mine = [row for row in rows if row[field] and row[field][key] == sent[key]]
        return {"__typename": kind, key: sent[key], "visits": mine}

    def entities(_info: Any, representations: list[Mapping[str, Any]]) -> list[Row]:
        return [entity(sent) for sent in representations]

    root = {"visits": rows, "_service": {"sdl": SDL}, "_entities": entities}
    result = graphql_sync(
        made,
        asked["query"],
        root,
        variable_values=asked.get("variables"),
        operation_name=asked.get("operationName"),
    )
    return dict(result.formatted)


def create_app(file: Path) -> Starlette:
    """The subgraph over one table."""
    rows, made = visits(file), schema()

    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(answered(made, rows, await request.json()))

    return Starlette(routes=[Route("/graphql", endpoint, methods=["POST"])])


def main() -> None:
    """Serve on loopback until ended."""
    parser = argparse.ArgumentParser(description="走访记录子图（全部人员均为虚构）")
    parser.add_argument("--port", type=int, default=8812, help="端口")
    parser.add_argument("--table", type=Path, default=HERE / "visits.csv", help="走访记录表")
    given = parser.parse_args()
    print(f"ready http://127.0.0.1:{given.port}/graphql", flush=True)  # noqa: T201
    uvicorn.run(create_app(given.table), host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
