"""The limit: what a hand-written handler per question reaches that lets PostgreSQL write JSON.

    python -m bench.peers.limit postgresql://… PORT

One statement a question, the best we could write: rows of the township only, names, phones and
addresses masked in it. No GraphQL, token, rights or record. POST /Q1 … /Q4 with the same body a
GraphQL server gets; only ``variables.id`` is read from it.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers.served import serve

POOL = 8  # connections: more do not raise the rate on two cores
TOWN = "532622205"
NEXT = "532622206"
GROWN = "z.birth <= current_date - INTERVAL '14 years'"  # contact of children under 14 is not shown


def here(table: str) -> str:
    """The predicate of the township's rows."""
    return f"{table}.region_path >= '{TOWN}' AND {table}.region_path < '{NEXT}'"


NAME = "left(z.name, 1) || '*' AS name"
PHONE = f"""CASE WHEN {GROWN} THEN
    CASE WHEN length(z.phone) >= 8 THEN '****' || right(z.phone, 4)
         WHEN z.phone IS NOT NULL THEN '****' END END AS phone"""
ADDRESS = f"CASE WHEN {GROWN} AND z.address IS NOT NULL THEN d.name END AS address"

Q1 = f"""
SELECT '{{"data":{{"citizen":' || coalesce((SELECT row_to_json(c)::text FROM (
  SELECT z.id, {NAME}, z.sex, z.birth_band AS "birthBand", {PHONE}, NULL::text AS "idNumber",
    (SELECT json_build_object('nodes', coalesce(json_agg(k), '[]'::json)) FROM (
       SELECT f.id, f.case_no AS "caseNo", f.item, f.state, f.filed_at AS "filedAt", f.overdue,
         (SELECT coalesce(json_agg(o), '[]'::json) FROM (
            SELECT s.id, s.order_no AS "orderNo", s.state, s.due_at AS "dueAt"
              FROM supervision_order s
             WHERE s.case_id = f.id AND {here("s")}
             ORDER BY s.issued_at DESC, s.id DESC) o) AS orders
         FROM case_file f
        WHERE f.applicant_id = z.id AND {here("f")}
        ORDER BY f.filed_at DESC, f.id DESC LIMIT 10) k) AS cases
    FROM citizen z
   WHERE z.id = $1 AND {here("z")}) c), 'null') || '}}}}'
"""

# The newest of each village, then of these: an index gives them without a sort of the township.
Q2 = f"""
SELECT '{{"data":{{"cases":{{"nodes":' || coalesce(json_agg(k)::text, '[]') || '}}}}}}' FROM (
  SELECT f.id, f.case_no AS "caseNo", f.item, f.state, f.filed_at AS "filedAt",
    (SELECT row_to_json(a) FROM (
       SELECT z.id, {NAME}, {PHONE} FROM citizen z
        WHERE z.id = f.applicant_id AND {here("z")}) a) AS applicant,
    (SELECT row_to_json(p) FROM (
       SELECT d.code, d.name FROM division d WHERE d.path = f.region_path) p) AS division,
    (SELECT json_build_object('nodes', coalesce(json_agg(v ORDER BY v.seq), '[]'::json)) FROM (
       SELECT e.seq, e.state, e.at FROM case_event e
        WHERE e.case_id = f.id AND {here("e")}
        ORDER BY e.at DESC, e.id DESC LIMIT 3) v) AS events
    FROM (SELECT c.* FROM division d CROSS JOIN LATERAL (
            SELECT * FROM case_file g WHERE g.region_path = d.path
             ORDER BY g.filed_at DESC, g.id DESC LIMIT 50) c
           WHERE d.path >= '{TOWN}' AND d.path < '{NEXT}'
           ORDER BY c.filed_at DESC, c.id DESC LIMIT 50) f
   ORDER BY f.filed_at DESC, f.id DESC) k
"""

Q3 = f"""
SELECT '{{"data":{{"citizens":{{"nodes":' || coalesce(json_agg(c)::text, '[]') || '}}}}}}' FROM (
  SELECT z.id, {NAME}, z.sex, z.birth_band AS "birthBand", {PHONE}, NULL::text AS "idNumber",
         {ADDRESS}, z.region_state AS "regionState"
    FROM (SELECT * FROM citizen g WHERE {here("g")} ORDER BY region_path, id LIMIT 500) z
    LEFT JOIN division d ON d.path = z.region_path
   ORDER BY z.region_path, z.id) c
"""

# Grouped inside, named and ordered outside: the sort sees dozens of rows, not thousands.
Q4 = f"""
SELECT '{{"data":{{"caseStats":' || coalesce(json_agg(c)::text, '[]') || '}}}}' FROM (
  SELECT to_char(t.month, 'YYYY-MM') AS month, t.town || '000' AS division, t.state, t.count
    FROM (SELECT date_trunc('month', filed_at) AS month, left(region_path, 9) AS town, state,
                 count(*) AS count
            FROM case_file WHERE {here("case_file")} GROUP BY 1, 2, 3) t
   ORDER BY 1, 2, 3) c
"""

Handler = Callable[[Request], Awaitable[Response]]


async def _keep(_connection: Any) -> None:
    """Instead of a RESET at each release, which is a round trip: nothing is ever set here."""


@contextlib.asynccontextmanager
async def _pool(app: Starlette) -> AsyncIterator[None]:
    zone = {"timezone": "Asia/Shanghai"}  # PostgreSQL then writes times as the hub does
    async with asyncpg.create_pool(
        app.state.url, min_size=POOL, max_size=POOL, reset=_keep, server_settings=zone
    ) as pool:
        app.state.pool = pool
        yield


def _listed(statement: str) -> Handler:
    async def handler(request: Request) -> Response:
        await request.body()
        text = await request.app.state.pool.fetchval(statement)
        return Response(text, media_type="application/json")

    return handler


async def citizen(request: Request) -> Response:
    """Q1."""
    variables = json.loads(await request.body())["variables"]
    text = await request.app.state.pool.fetchval(Q1, variables["id"])
    return Response(text, media_type="application/json")


def main(url: str, port: int) -> None:
    """Listen until a signal."""
    app = Starlette(
        routes=[
            Route("/Q1", citizen, methods=["POST"]),
            Route("/Q2", _listed(Q2), methods=["POST"]),
            Route("/Q3", _listed(Q3), methods=["POST"]),
            Route("/Q4", _listed(Q4), methods=["POST"]),
        ],
        lifespan=_pool,
    )
    app.state.url = url
    serve(app, port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
