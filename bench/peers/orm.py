"""Plain Strawberry with DataLoader over the SQLAlchemy ORM: lean and idiomatic, nothing else on.

    python -m bench.peers.orm postgresql+asyncpg://… PORT

The same document texts as the product's. One session a batch, loaders of one request; masks are
field functions, as one would write them. Rows of the township only.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import ForeignKey, Select, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from bench.peers.served import serve

POOL = 8
TOWN, NEXT = "532622205", "532622206"
GROWN = timedelta(days=14 * 365.25)  # contact of children under 14 is not shown
SHORT = 8  # a phone below this many digits shows none of them


class Base(DeclarativeBase):
    """Of the four tables, the columns that are asked for."""


class CitizenRow(Base):
    """人员."""

    __tablename__ = "citizen"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sex: Mapped[str]
    birth: Mapped[date | None]
    birth_band: Mapped[str | None]
    phone: Mapped[str | None]
    address: Mapped[str | None]
    region_path: Mapped[str]
    region_state: Mapped[str]


class CaseRow(Base):
    """诉求件."""

    __tablename__ = "case_file"
    id: Mapped[str] = mapped_column(primary_key=True)
    case_no: Mapped[str]
    item: Mapped[str]
    state: Mapped[str]
    filed_at: Mapped[datetime]
    overdue: Mapped[bool]
    applicant_id: Mapped[str] = mapped_column(ForeignKey("citizen.id"))
    region_path: Mapped[str] = mapped_column(String(12))


class EventRow(Base):
    """办件事件."""

    __tablename__ = "case_event"
    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("case_file.id"))
    seq: Mapped[int]
    state: Mapped[str]
    at: Mapped[datetime]
    region_path: Mapped[str]


class OrderRow(Base):
    """督办单."""

    __tablename__ = "supervision_order"
    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("case_file.id"))
    order_no: Mapped[str]
    state: Mapped[str]
    issued_at: Mapped[datetime]
    due_at: Mapped[datetime]
    region_path: Mapped[str]


class DivisionRow(Base):
    """行政区划."""

    __tablename__ = "division"
    path: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]


def here(row: Any) -> Any:
    """The predicate of the township's rows."""
    return (row.region_path >= TOWN) & (row.region_path < NEXT)


class Loaders:
    """One request's loaders."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions
        self.citizens: DataLoader[str, Any] = DataLoader(self._citizens)
        self.divisions: DataLoader[str, Any] = DataLoader(self._divisions)
        self.cases: DataLoader[str, Any] = DataLoader(self._cases)
        self.events: DataLoader[str, Any] = DataLoader(self._events)
        self.orders: DataLoader[str, Any] = DataLoader(self._orders)

    async def all(self, query: Select[Any]) -> Sequence[Any]:
        """The entities of a query."""
        async with self.sessions() as session:
            return (await session.scalars(query)).all()

    async def _citizens(self, keys: list[str]) -> list[Any]:
        return await self._one(CitizenRow, CitizenRow.id, keys, here(CitizenRow))

    async def _divisions(self, keys: list[str]) -> list[Any]:
        return await self._one(DivisionRow, DivisionRow.path, keys)

    async def _cases(self, keys: list[str]) -> list[Any]:
        order = (CaseRow.filed_at.desc(), CaseRow.id.desc())
        return await self._many(CaseRow, CaseRow.applicant_id, keys, order)

    async def _events(self, keys: list[str]) -> list[Any]:
        return await self._many(EventRow, EventRow.case_id, keys, (EventRow.at, EventRow.id))

    async def _orders(self, keys: list[str]) -> list[Any]:
        order = (OrderRow.issued_at.desc(), OrderRow.id.desc())
        return await self._many(OrderRow, OrderRow.case_id, keys, order)

    async def _one(self, row: Any, key: Any, keys: list[str], *where: Any) -> list[Any]:
        found = await self.all(select(row).where(key.in_(keys), *where))
        by_key = {getattr(one, key.key): one for one in found}
        return [by_key.get(one) for one in keys]

    async def _many(self, row: Any, key: Any, keys: list[str], order: Any) -> list[Any]:
        found = await self.all(select(row).where(key.in_(keys), here(row)).order_by(*order))
        by_key = defaultdict(list)
        for one in found:
            by_key[getattr(one, key.key)].append(one)
        return [by_key[one] for one in keys]


def loaders(info: Info[Any, Any]) -> Loaders:
    """This request's loaders."""
    found: Loaders = info.context["loaders"]
    return found


def shown(row: CitizenRow) -> bool:
    """Whether contact may be shown at all."""
    return row.birth is not None and row.birth <= date.today() - GROWN  # noqa: DTZ011


@strawberry.type
class Division:
    """行政区划."""

    code: str
    name: str


@strawberry.type
class Event:
    """办件事件."""

    seq: int
    state: str
    at: datetime


@strawberry.type
class Events:
    """A page."""

    nodes: list[Event]


@strawberry.type
class Order:
    """督办单."""

    id: strawberry.ID
    order_no: str
    state: str
    due_at: datetime


@strawberry.type
class Case:
    """诉求件."""

    id: strawberry.ID
    case_no: str
    item: str
    state: str
    filed_at: datetime
    overdue: bool

    @strawberry.field
    async def applicant(
        self, info: Info[Any, Any], root: strawberry.Parent[CaseRow]
    ) -> Citizen | None:
        """申请人."""
        found: Citizen | None = await loaders(info).citizens.load(root.applicant_id)
        return found

    @strawberry.field
    async def division(
        self, info: Info[Any, Any], root: strawberry.Parent[CaseRow]
    ) -> Division | None:
        """提交时所在区划."""
        found: Division | None = await loaders(info).divisions.load(root.region_path)
        return found

    @strawberry.field
    async def events(
        self, info: Info[Any, Any], root: strawberry.Parent[CaseRow], last: int
    ) -> Events:
        """办件事件."""
        return Events(nodes=(await loaders(info).events.load(root.id))[-last:])

    @strawberry.field
    async def orders(self, info: Info[Any, Any], root: strawberry.Parent[CaseRow]) -> list[Order]:
        """督办单."""
        found: list[Order] = await loaders(info).orders.load(root.id)
        return found


@strawberry.type
class Cases:
    """A page."""

    nodes: list[Case]


@strawberry.type
class Citizen:
    """人员."""

    id: strawberry.ID
    sex: str
    birth_band: str | None
    region_state: str

    @strawberry.field
    def name(self, root: strawberry.Parent[CitizenRow]) -> str:
        """The surname."""
        return f"{root.name[:1]}*"

    @strawberry.field
    def phone(self, root: strawberry.Parent[CitizenRow]) -> str | None:
        """The last four digits."""
        if root.phone is None or not shown(root):
            return None
        return f"****{root.phone[-4:]}" if len(root.phone) >= SHORT else "****"

    @strawberry.field
    def id_number(self) -> str | None:
        """Hidden."""
        return None

    @strawberry.field
    async def address(
        self, info: Info[Any, Any], root: strawberry.Parent[CitizenRow]
    ) -> str | None:
        """The village."""
        if root.address is None or not shown(root):
            return None
        place = await loaders(info).divisions.load(root.region_path)
        return place.name if place else None

    @strawberry.field
    async def cases(
        self, info: Info[Any, Any], root: strawberry.Parent[CitizenRow], first: int
    ) -> Cases:
        """本人的诉求件."""
        return Cases(nodes=(await loaders(info).cases.load(root.id))[:first])


@strawberry.type
class Citizens:
    """A page."""

    nodes: list[Citizen]


@strawberry.type
class Stat:
    """A count."""

    month: str
    division: str
    state: str
    count: int


@strawberry.enum
class By(Enum):
    """What is grouped by; all three always are."""

    MONTH = "month"
    TOWNSHIP = "township"
    STATE = "state"


@strawberry.input
class CitizenKey:
    """By what a citizen is found."""

    id: strawberry.ID


@strawberry.type
class Query:
    """The four roots."""

    @strawberry.field
    async def citizen(self, info: Info[Any, Any], by: CitizenKey) -> Citizen | None:
        """Q1."""
        found: Citizen | None = await loaders(info).citizens.load(str(by.id))
        return found

    @strawberry.field
    async def cases(self, info: Info[Any, Any], first: int) -> Cases:
        """Q2."""
        order = (CaseRow.filed_at.desc(), CaseRow.id.desc())
        query = select(CaseRow).where(here(CaseRow)).order_by(*order).limit(first)
        return Cases(nodes=list(await loaders(info).all(query)))

    @strawberry.field
    async def citizens(self, info: Info[Any, Any], first: int) -> Citizens:
        """Q3."""
        order = (CitizenRow.region_path, CitizenRow.id)
        query = select(CitizenRow).where(here(CitizenRow)).order_by(*order).limit(first)
        return Citizens(nodes=list(await loaders(info).all(query)))

    @strawberry.field
    async def case_stats(self, info: Info[Any, Any], by: list[By]) -> list[Stat]:
        """Q4."""
        month = func.date_trunc("month", CaseRow.filed_at, "Asia/Shanghai")
        town = func.left(CaseRow.region_path, 9)
        grouped = (
            select(month.label("month"), town.label("town"), CaseRow.state, func.count().label("n"))
            .where(here(CaseRow))
            .group_by("month", "town", CaseRow.state)
            .subquery()
        )
        named = func.to_char(func.timezone("Asia/Shanghai", grouped.c.month), "YYYY-MM")
        query = select(named.label("m"), grouped.c.town, grouped.c.state, grouped.c.n)
        async with loaders(info).sessions() as session:
            rows = await session.execute(query.order_by("m", grouped.c.town, grouped.c.state))
        return [Stat(month=m, division=f"{t}000", state=s, count=n) for m, t, s, n in rows]


class App(GraphQL[Any, Any]):
    """The ASGI application; each request gets loaders of its own."""

    sessions: async_sessionmaker[AsyncSession]

    async def get_context(self, request: Any, response: Any) -> Any:
        """The loaders."""
        return {"loaders": Loaders(self.sessions)}


def main(url: str, port: int) -> None:
    """Listen until a signal."""
    engine = create_async_engine(url, pool_size=POOL, max_overflow=0)
    app = App(strawberry.Schema(Query), graphql_ide=None)
    app.sessions = async_sessionmaker(engine, expire_on_commit=False)
    serve(app, port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
