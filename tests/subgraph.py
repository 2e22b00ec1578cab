"""A department's subgraph of a test's own: Strawberry's federation over a SQLite file, on loopback.

It masks id numbers unless its `purpose` is declared, wants a key, refuses more than `most`
persons a request, and notes what it was asked.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from strawberry import federation
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

KEY = "demo"
PURPOSE = "aid.review"


@dataclass(frozen=True, slots=True)
class Context:
    """One request: the file, and whether its purpose was declared."""

    database: Path
    open: bool

    def rows(self, table: str, number: str) -> list[dict[str, Any]]:
        """A person's rows of a table, in no order of their own."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(f'SELECT * FROM "{table}" WHERE idCard = ?', (number,))
            return [dict(row) for row in found]


@strawberry.type
class Chronic:
    """慢性病"""

    disease: str | None
    icd10: str | None
    managedSince: str | None
    lastFollowUp: str | None
    grade: str | None


@strawberry.type
class Serious:
    """大病"""

    recordNo: str | None
    disease: str | None
    admitted: str | None
    hospital: str | None
    cured: str | None


@strawberry.type
class Visit:
    """预约"""

    recordNo: str | None
    hospital: str | None
    clinic: str | None
    visitDate: str | None
    state: str | None


@strawberry.type
class Drug:
    """用药"""

    recordNo: str | None
    drug: str | None
    days: str | None
    dispensed: str | None
    delivery: str | None


def _of(kind: type[Any], info: Info, table: str, number: str) -> list[Any]:
    names = [f.name for f in kind.__strawberry_definition__.fields]
    return [kind(**{n: row[n] for n in names}) for row in info.context.rows(table, number)]


@federation.type(keys=["idCard"])
class Resident:
    """居民"""

    number: strawberry.Private[str]
    ehrNo: str | None
    name: str | None

    @classmethod
    def resolve_reference(cls, info: Info, idCard: str) -> Resident | None:
        """By its key."""
        for row in info.context.rows("resident", idCard):
            return cls(number=row["idCard"], ehrNo=row["ehrNo"], name=row["name"])
        return None

    @strawberry.field
    def idCard(self, info: Info) -> str:
        """Masked unless the purpose is declared."""
        whole = self.number
        return whole if info.context.open else f"{whole[:6]}{'*' * (len(whole) - 10)}{whole[-4:]}"

    @strawberry.field
    def chronicRecords(self, info: Info) -> list[Chronic]:
        """慢性病"""
        return _of(Chronic, info, "chronic_record", self.number)

    @strawberry.field
    def seriousIllness(self, info: Info) -> list[Serious]:
        """大病"""
        return _of(Serious, info, "serious_illness", self.number)

    @strawberry.field
    def appointments(self, info: Info) -> list[Visit]:
        """预约"""
        return _of(Visit, info, "appointment", self.number)

    @strawberry.field
    def medications(self, info: Info) -> list[Drug]:
        """用药"""
        return _of(Drug, info, "medication", self.number)


@strawberry.type
class Query:
    """查询"""

    @strawberry.field
    def residents(self, info: Info, idCards: list[str]) -> list[Resident]:
        """Those who are known, in no agreed order."""
        found = [Resident.resolve_reference(info, number) for number in reversed(idCards)]
        return [one for one in found if one is not None]


class Graph(federation.Schema):
    """Errors quote what was asked: they are not logged."""

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """Silence."""


@dataclass(slots=True)
class Subgraph:
    """A running subgraph: where it is; the headers and the body of each request."""

    address: str
    asked: list[tuple[Mapping[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def documents(self) -> list[str]:
        """The documents it was sent."""
        return [body["query"] for _, body in self.asked]

    @property
    def sizes(self) -> list[int]:
        """How many persons each request asked for."""
        return [len(numbers) for numbers in self.numbers]

    @property
    def numbers(self) -> list[Sequence[str]]:
        """Whom each request asked for."""
        return [_numbers(body["variables"]) for _, body in self.asked]


def _numbers(variables: Mapping[str, Any]) -> Sequence[str]:
    (given,) = variables.values()
    return [one if isinstance(one, str) else one["idCard"] for one in given]


@contextlib.contextmanager
def subgraph(database: Path, *, most: int = 100, purpose: str = PURPOSE) -> Iterator[Subgraph]:
    """Serve it in a thread on a free port until the block ends."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    found = Subgraph(f"http://127.0.0.1:{door.getsockname()[1]}")
    schema = Graph(query=Query, config=StrawberryConfig(auto_camel_case=False))

    async def answer(request: Request) -> JSONResponse:
        body = json.loads(await request.body())
        found.asked.append((request.headers, body))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _refused("UNAUTHENTICATED")
        if len(_numbers(body["variables"])) > most:
            return _refused("QUERY_TOO_COMPLEX")
        context = Context(database, request.headers.get("x-purpose") == purpose)
        done = await schema.execute(body["query"], body["variables"], context)
        errors = [error.formatted for error in done.errors or ()]
        return JSONResponse({"data": done.data} | ({"errors": errors} if errors else {}))

    app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])])
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    door.listen()  # who asks before the server runs waits for it
    thread.start()
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join()
        door.close()


def _refused(code: str) -> JSONResponse:
    error = GraphQLError("不予答复", extensions={"code": code})
    return JSONResponse({"data": None, "errors": [error.formatted]})
