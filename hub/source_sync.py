"""What departments have dropped, loaded into snapshots, each load in the access log first.

    delivery ──► judged ──► new snapshot whole ──► record committed ──► it takes the old one's place

Files and store share no transaction, so one of them comes first: it is the record. A load that is
not recorded does not stand; a record may speak of a load that a power cut prevented, which the next
run makes good with a record of its own. A refusal is recorded, too, as often as it is found: it is
the only trace of a delivery that somebody has changed on its way. What was loaded before is not.

A record names the source, the table by the catalogue's word, rows, date, and the file by its
checksum: file names are a department's, and may hold a person's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from adapters.drops.delivery import SCHEME, drop_folder
from adapters.drops.drop import Fate, Loaded, Outcome, load_drop
from adapters.drops.files import snapshot_of
from adapters.drops.snapshot import shapes
from audit.log import AuditLog
from audit.record import Draft, Kind, Op
from audit.record import Outcome as Ended
from catalog.datasets import SourceSpec
from catalog.errors import AuditUnavailable, Readable
from catalog.load import Catalog
from hub.recording import recording
from hub.settings import Settings

VERB, PURPOSE = "source.sync", "sync"


@dataclass(frozen=True, slots=True)
class Synced:
    """One source: what became of its deliveries, or why its folder was not taken in."""

    source: str
    loaded: Loaded | None
    failed: Readable | None = None

    @property
    def ok(self) -> bool:
        """Everything there was is loaded."""
        return self.loaded is not None and not self.loaded.refused


def dropped(settings: Settings, catalog: Catalog) -> list[SourceSpec]:
    """The sources whose departments hand over files."""
    return [
        spec
        for name, spec in catalog.sources.items()
        if settings.sources.get(name, "").startswith(SCHEME)
    ]


async def sync(settings: Settings, catalog: Catalog, specs: Iterable[SourceSpec]) -> list[Synced]:
    """Each source's drop folder taken in; one that cannot be does not keep the others waiting.

    AuditUnavailable if a load cannot be recorded: it does not stand, and nothing more is loaded.
    """
    basis = catalog.purposes[PURPOSE].legal_basis
    async with AsyncExitStack() as stack:
        records = _Records(settings, stack, basis)
        return [await _synced(settings, spec, records) for spec in specs]


class _Records:
    """The log, opened with the first record: a timer that finds nothing new writes nothing."""

    def __init__(self, settings: Settings, stack: AsyncExitStack, basis: str) -> None:
        self._settings, self._stack, self._basis = settings, stack, basis
        self._log: AuditLog | None = None

    async def append(self, spec: SourceSpec, outcome: Outcome) -> None:
        """On the disk when it returns. AuditUnavailable."""
        try:
            log = self._log or await self._opened()
            await log.append(_draft(spec, outcome, self._basis))
        except (SQLAlchemyError, OSError):
            raise AuditUnavailable("访问审计无法写入，送达的文件未载入", reason="WRITE") from None

    async def _opened(self) -> AuditLog:
        _, log = await self._stack.enter_async_context(recording(self._settings))
        self._log = log
        return log


async def _synced(settings: Settings, spec: SourceSpec, records: _Records) -> Synced:
    loop = asyncio.get_running_loop()

    def record(outcome: Outcome) -> None:
        asyncio.run_coroutine_threadsafe(records.append(spec, outcome), loop).result()

    def load() -> Loaded:
        drop = drop_folder(settings.sources[spec.name])
        snapshot: Path = snapshot_of(settings.snapshots_dir, spec.name)
        return load_drop(drop, snapshot, shapes(spec), record=record)

    try:
        return Synced(spec.name, await asyncio.to_thread(load))
    except Readable as failed:
        return Synced(spec.name, None, failed)


def _draft(spec: SourceSpec, outcome: Outcome, basis: str) -> Draft:
    said: dict[str, str | int | bool] = {"source": spec.name, "fate": outcome.fate.value}
    if outcome.refused is not None:
        said["reason"] = outcome.refused.reason.value
    if outcome.table is not None:
        said["table"] = outcome.table
    if outcome.as_of is not None:
        said["as_of"] = outcome.as_of.isoformat()
    if outcome.rows is not None:
        said["rows"] = outcome.rows
    if outcome.sha256 is not None:
        said["sha256"] = outcome.sha256
    return Draft(
        Kind.MUTATION,
        Ended.OK if outcome.fate is Fate.LOADED else Ended.INVALID,
        org=spec.department,
        op=Op(name=VERB, type="command", vars=said),
        purpose=PURPOSE,
        basis=basis,
    )
