"""催办: an order by itself for what is late, one that is open for each thing (领域设计 1.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.load import Catalog
from domain.supervision import SupervisionAct, SupervisionKind, SupervisionState, Urge, urged
from resolvers.commands.cases import SYSTEM
from resolvers.commands.command import new_id, numbered
from resolvers.commands.supervision import KIND, NUMBERED, kind_until, new_order
from store.supervision import OrderRow, add_order, add_supervision_event, change_supervision

BATCH = 200  # rows of one transaction: a tenth of a second, in which nobody else writes
FIRST = ""  # before every key


@dataclass(frozen=True, slots=True)
class Sweeper:
    """One batch's transaction, the catalogue, and the moment it is done at."""

    connection: Any
    catalog: Catalog
    now: datetime


@dataclass(frozen=True, slots=True)
class Late:
    """What is late. `about`: the order's column that names it; `place` of the order's rows.

    `node` and `trigger`: one open order for each node, to which a second trigger is added.
    """

    about: Mapping[str, str]
    place: Mapping[str, Any]
    node: str
    trigger: str
    note: str


async def urge(at: Sweeper, late: Late, rows: Sequence[OrderRow]) -> None:
    """Add to the open URGE among `rows`, or issue one."""
    by = {_urged(row): row for row in rows}
    before, after = urged(by, late.node, late.trigger)
    if before is after:
        return
    triggers = "\n".join(after.triggers)
    if before is not None:
        await change_supervision(at.connection, by[before], {"triggers": triggers})
        return
    kind = SupervisionKind.URGE
    until = kind_until(at.catalog, at.now, kind)
    assert until is not None  # noqa: S101  the catalogue has a length for it
    row = new_order(at.now, late.about, kind, "OVERDUE", until, late.place)
    row |= {
        "order_no": await numbered(at.connection, at.now, KIND, NUMBERED),
        "note": late.note,
    }
    await add_order(at.connection, row | {"node": late.node or None, "triggers": triggers})
    event = {**late.place, "id": new_id(), "act": SupervisionAct.ISSUE, "at": at.now}
    event |= {"post": SYSTEM, "state": SupervisionState.ISSUED, "note": None}
    await add_supervision_event(at.connection, row["id"], event)


def _urged(row: OrderRow) -> Urge:
    triggers = tuple(row.triggers.split("\n")) if row.triggers else ()
    return Urge(row.node or "", SupervisionState(row.state), triggers)
