"""Name -> Source, from the catalogue and the addresses of the settings: one visible list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.engine import make_url

from adapters.bulkhead import UNBOUNDED, Bulkhead
from adapters.contract import Call, Prepared, ReadRequest, Rows, Source
from adapters.databases.database import Database, open_database
from adapters.databases.sql import SqlSource
from adapters.drops.delivery import SCHEME
from adapters.drops.files import FilesSource, SnapshotPool, snapshot_of
from adapters.resilience import Budget, Guard, Seen, Window, unseen, utc_now
from adapters.web.credential import signer
from adapters.web.graphql import GraphqlSource
from adapters.web.http import HTTP, Door
from adapters.web.rest import RestSource
from catalog.datasets import FieldType, Kind, SourceSpec
from catalog.divisions import Divisions
from catalog.errors import CatalogError, SourceUnavailable
from catalog.grades import Mask

MaskText = Callable[[Mask, Any, FieldType], Any]
STATUS = "source_status"
STORE = ("hub", "audit", "audit_proof", STATUS)
"""Sources that are the hub's own: its store, and what it makes itself beside that."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the sources are: address of the `store`; `addresses` and `keys` by source name.

    `locked`: the hub's own tables are locked by place, wherever they lie. `ca_file`: authorities
    of the county's own for HTTPS. `snapshots`: the folder of what drop folders were loaded into,
    one file a source. `budget`: who counts the calls of a source that sets limits to them; `seen`:
    who is told of each call; `now`: by whose clock closing hours begin.
    """

    store: str
    metadata: MetaData
    addresses: Mapping[str, str]
    keys: Mapping[str, str]
    outages: Mapping[str, Window]
    deadline_s: float
    locked: bool = False
    ca_file: Path | None = None
    snapshots: Path = Path("snapshots")
    budget: Callable[[SourceSpec], Budget | None] = lambda _spec: None
    seen: Seen = unseen
    now: Callable[[], datetime] = utc_now


def sources(
    specs: Mapping[str, SourceSpec], wiring: Wiring, divisions: Divisions, mask: MaskText
) -> dict[str, Source]:
    """Every source of the catalogue; one without an address answers that it is not there."""
    store = open_database(wiring.store, statement_s=wiring.deadline_s, locked=wiring.locked)
    return {name: _source(spec, wiring, divisions, mask, store) for name, spec in specs.items()}


def _source(
    spec: SourceSpec, wiring: Wiring, divisions: Divisions, mask: MaskText, store: Database
) -> Source:
    guard = _guard(spec, wiring)
    if spec.name in STORE:
        return SqlSource(spec, store, divisions, guard=guard, mask=mask, metadata=wiring.metadata)
    address = wiring.addresses.get(spec.name)
    if address is None:
        return Absent(spec.name, spec.title)
    # The address decides: a department turns from files to a database, its words stay.
    if address.startswith(SCHEME):
        pool = SnapshotPool(snapshot_of(wiring.snapshots, spec.name))
        return FilesSource(spec, pool, SqlSource(spec, pool, divisions, guard=guard, mask=mask))
    if address.startswith(HTTP):
        return _over_http(spec, address, wiring, guard, divisions, mask)
    ours = wiring.metadata if spec.copy_of in STORE else None
    locked = wiring.locked and ours is not None
    database = open_database(
        let_in(address, wiring.keys.get(spec.name)), statement_s=wiring.deadline_s, locked=locked
    )
    return SqlSource(spec, database, divisions, guard=guard, mask=mask, metadata=ours)


def let_in(address: str, password: str | None) -> str:
    """The address of a database with its password, if it has none of its own."""
    url = make_url(address)
    if password is None or url.password is not None or url.username is None:
        return address
    return url.set(password=password).render_as_string(hide_password=False)


def _over_http(
    spec: SourceSpec,
    address: str,
    wiring: Wiring,
    guard: Guard,
    divisions: Divisions,
    mask: MaskText,
) -> Source:
    _askable(spec)
    door = Door(address, ca_file=wiring.ca_file)
    key = wiring.keys.get(spec.name)
    if spec.graphql is not None and (spec.rest is None or spec.kind is Kind.GRAPHQL):
        signed = signer(spec.graphql.credential, key, door)
        return GraphqlSource(spec, door, signed, guard=guard, divisions=divisions, mask=mask)
    assert spec.rest is not None  # noqa: S101  one of the two is there
    signed = signer(spec.rest.credential, key, door)
    return RestSource(spec, door, signed, guard=guard, divisions=divisions, mask=mask)


def _askable(spec: SourceSpec) -> None:
    """CatalogError for a source whose words do not fit an HTTP address."""
    if spec.rest is None and spec.graphql is None:
        raise CatalogError(
            f"{spec.name}.toml",
            "source.rest",
            "is missing, as is source.graphql: its address is HTTP",
        )
    nested = [dataset.name for dataset in spec.datasets if dataset.nests]
    if nested:
        raise CatalogError(
            f"{spec.name}.toml", f"{nested[0]}.nest", "cannot be asked over HTTP: only by id number"
        )


def _guard(spec: SourceSpec, wiring: Wiring) -> Guard:
    window = wiring.outages.get(spec.name)
    own = spec.name in STORE or spec.copy_of is not None
    return Guard(
        spec.name,
        bulkhead=Bulkhead(UNBOUNDED if own else spec.room),
        budget=wiring.budget(spec),
        seen=wiring.seen,
        title=spec.title,
        deadline_s=wiring.deadline_s,
        windows=(window,) if window else (),
        now=wiring.now,
    )


class Absent:
    """A source nobody has connected yet: its data is down, the rest is answered."""

    json = False

    def __init__(self, name: str, title: str) -> None:
        self.name, self._title = name, title

    def prepare(self, request: ReadRequest) -> Prepared:
        """A read that will say the source is not there."""
        return _Nothing(("__key", "__grade", "__dq", *request.columns, *request.extra))

    async def read(self, _prepared: Prepared, _call: Call) -> Rows:
        """SourceUnavailable DOWN."""
        raise self._down()

    async def ping(self) -> None:
        """SourceUnavailable DOWN."""
        raise self._down()

    async def close(self) -> None:
        """Nothing to close."""

    def _down(self) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self._title}尚未接入", reason="DOWN", source=self.name, retryable=False
        )


@dataclass(frozen=True, slots=True)
class _Nothing:
    columns: tuple[str, ...]

    def describe(self) -> str:
        return "未接入"
