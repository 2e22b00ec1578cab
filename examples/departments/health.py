"""卫健居民健康档案系统: a made-up health department's own subgraph (Apollo federation).

A stand-alone program; the hub knows only its address. One door, ``POST /graphql``:

    { residents(idCards: ["…"]) { ehrNo chronicRecords { disease } } }     one entry an id card
    { _entities(representations: [{__typename: "Resident", idCard: "…"}]) { … on Resident { … } } }

Its habits, all on purpose (领域设计 2.6, source 6): without a purpose (``X-Purpose``) it masks
the id card it answers; without ``Authorization: Bearer KEY`` it answers UNAUTHENTICATED, and for
too many residents at once QUERY_TOO_COMPLEX, both with HTTP 200; ``--slow`` and ``--fail-share``
make it as slow and as silent as the real one. Each table is asked once a request, however many
residents. All persons in its database are invented.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from pathlib import Path
from random import Random
from typing import Any

import strawberry
from graphql import GraphQLError
from service import DEMO_KEY, options, query, serve
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from strawberry import federation
from strawberry.dataloader import DataLoader
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

MOST = 100  # residents a request
SILENT_S = 60  # longer than any caller waits
HEAD, TAIL = 6, 4  # what a masked id card still shows
SLOWEST = 0.05  # of the answers take longer than ``--slow``

ORDERS: Mapping[str, str] = {
    "resident": "ehrNo",
    "chronic_record": "managedSince, icd10",
    "serious_illness": "recordNo",
    "appointment": "recordNo",
    "medication": "recordNo",
}
"""Tables, and the order of one resident's rows."""

Row = dict[str, Any]


class Asked:
    """One request: its tables, each read once for all its residents; whether it has a purpose."""

    def __init__(self, db: Path, most: int, *, purpose: bool) -> None:
        self.purpose = purpose
        self._left = most
        self._tables = {t: DataLoader(load_fn=partial(_load, db, t)) for t in ORDERS}

    def take(self, residents: int) -> None:
        """Count residents asked for; GraphQLError QUERY_TOO_COMPLEX."""
        self._left -= residents
        if self._left < 0:
            raise GraphQLError("查询过于复杂", extensions={"code": "QUERY_TOO_COMPLEX"})

    async def rows(self, table: str, id_card: str) -> list[Row]:
        """A resident's rows of a table."""
        return await self._tables[table].load(id_card)

    async def resident(self, id_card: str) -> Resident | None:
        """The resident of an id card; the oldest record, if there are several."""
        found = await self.rows("resident", id_card)
        return Resident(**found[0]) if found else None


async def _load(db: Path, table: str, id_cards: list[str]) -> list[list[Row]]:
    asked = (
        f"SELECT * FROM {table} WHERE idCard IN (SELECT value FROM json_each(?))"  # noqa: S608
        f" ORDER BY {ORDERS[table]}"
    )
    found: dict[str, list[Row]] = defaultdict(list)
    for row in await run_in_threadpool(query, db, asked, json.dumps(id_cards)):
        found[row["idCard"]].append(row)
    return [found[id_card] for id_card in id_cards]


def masked(id_card: str) -> str:
    """The first six and the last four characters, stars between."""
    return id_card[:HEAD] + "*" * (len(id_card) - HEAD - TAIL) + id_card[-TAIL:]


# -- the graph: names are those of the tables' columns


@strawberry.type
class ChronicRecord:
    """慢性病管理"""

    disease: str | None
    icd10: str | None
    managedSince: str | None
    lastFollowUp: str | None
    grade: str | None


@strawberry.type
class SeriousIllness:
    """大病专项救治"""

    recordNo: str | None
    disease: str | None
    admitted: str | None
    hospital: str | None
    cured: str | None


@strawberry.type
class Appointment:
    """看病预约"""

    recordNo: str | None
    hospital: str | None
    clinic: str | None
    visitDate: str | None
    state: str | None


@strawberry.type
class Medication:
    """用药服务"""

    recordNo: str | None
    drug: str | None
    days: str | None
    dispensed: str | None
    delivery: str | None


def _made(kind: Any, rows: Sequence[Row]) -> list[Any]:
    names = [f.name for f in kind.__strawberry_definition__.fields]
    return [kind(**{name: row[name] for name in names}) for row in rows]


@federation.type(keys=["idCard"])
class Resident:
    """居民"""

    ehrNo: str | None
    number: strawberry.Private[str]
    name: str | None

    def __init__(self, ehrNo: str | None, idCard: str, name: str | None) -> None:
        self.ehrNo, self.number, self.name = ehrNo, idCard, name

    @classmethod
    async def resolve_reference(cls, info: Info, idCard: str) -> Resident | None:
        """An entity by its key."""
        asked: Asked = info.context
        return await asked.resident(idCard)

    @strawberry.field
    def idCard(self, info: Info) -> str:
        """身份证号；未声明用途时脱敏"""
        return self.number if info.context.purpose else masked(self.number)

    @strawberry.field
    async def chronicRecords(self, info: Info) -> list[ChronicRecord]:
        """慢性病管理记录"""
        return _made(ChronicRecord, await info.context.rows("chronic_record", self.number))

    @strawberry.field
    async def seriousIllness(self, info: Info) -> list[SeriousIllness]:
        """大病专项救治登记"""
        return _made(SeriousIllness, await info.context.rows("serious_illness", self.number))

    @strawberry.field
    async def appointments(self, info: Info) -> list[Appointment]:
        """门诊预约"""
        return _made(Appointment, await info.context.rows("appointment", self.number))

    @strawberry.field
    async def medications(self, info: Info) -> list[Medication]:
        """慢病用药与送药"""
        return _made(Medication, await info.context.rows("medication", self.number))


@strawberry.type
class Query:
    """查询"""

    @strawberry.field
    async def residents(self, info: Info, idCards: list[str]) -> list[Resident | None]:
        """每个身份证号一项，次序相同；无此人为空"""
        asked: Asked = info.context
        asked.take(len(idCards))
        return list(await asyncio.gather(*map(asked.resident, idCards)))


class Subgraph(federation.Schema):
    """The schema; entities count as residents, and nothing of a request is logged."""

    def entities_resolver(
        self, info: Info, representations: list[federation.schema.FederationAny]
    ) -> list[federation.schema.FederationAny]:
        """As the library, within the limit."""
        info.context.take(len(representations))
        return super().entities_resolver(info, representations)

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """An error's text may quote id cards: it goes to the caller alone."""


# -- the door


@dataclass(frozen=True, slots=True)
class Faults:
    """How slow (`slow_s`: 19 of 20 answers are faster) and how often silent the system is."""

    slow_s: float = 0
    silent_share: float = 0

    def wait_s(self, rng: Random) -> float:
        """How long the next answer takes: SILENT_S, or some time around `slow_s`."""
        if rng.random() < self.silent_share:
            return SILENT_S
        return rng.expovariate(-math.log(SLOWEST) / self.slow_s) if self.slow_s else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The program."""
    parser = options("卫健部门样例系统")
    parser.add_argument("--key", default=DEMO_KEY, help="调用方须携带的 Bearer 密钥")
    parser.add_argument("--most", type=int, default=MOST, help="每次请求的居民人数上限")
    parser.add_argument("--slow", type=float, default=0, help="九成五的应答快于此秒数")
    parser.add_argument("--fail-share", type=float, default=0, help="不应答的请求所占份额，0–1")
    given = parser.parse_args(argv)
    faults = Faults(given.slow, given.fail_share)
    app = create_app(given.db, key=given.key, most=given.most, faults=faults)
    return serve(app, db=given.db, port=given.port, watch_stdin=given.watch_stdin)


def create_app(db: Path, *, key: str, most: int, faults: Faults) -> Starlette:
    """The department's system over one read-only SQLite file."""
    schema = Subgraph(query=Query, config=StrawberryConfig(auto_camel_case=False))
    rng = Random()  # noqa: S311  how slow we are is no secret

    async def door(request: Request) -> JSONResponse:
        body = await request.body()
        await asyncio.sleep(faults.wait_s(rng))
        given = request.headers.get("authorization", "").encode()
        if not compare_digest(given, f"Bearer {key}".encode()):
            return _failed("未认证", "UNAUTHENTICATED")
        call = _parsed(body)
        if call is None:
            return _failed("报文格式错误", "BAD_REQUEST", 400)
        asked = Asked(db, most, purpose=bool(request.headers.get("x-purpose", "").strip()))
        result = await schema.execute(
            call["query"], call.get("variables"), asked, operation_name=call.get("operationName")
        )
        errors = [error.formatted for error in result.errors or ()]
        return JSONResponse({"data": result.data} | ({"errors": errors} if errors else {}))

    return Starlette(routes=[Route("/graphql", door, methods=["POST"])])


def _parsed(body: bytes) -> Mapping[str, Any] | None:
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(call, dict) and isinstance(call.get("query"), str)
    return call if fits and isinstance(call.get("variables") or {}, dict) else None


def _failed(message: str, code: str, status: int = 200) -> JSONResponse:
    error = {"message": message, "extensions": {"code": code}}
    return JSONResponse({"data": None, "errors": [error]}, status)


if __name__ == "__main__":
    raise SystemExit(main())
