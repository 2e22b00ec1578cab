"""A drop folder taken in: ``load_drop(folder, snapshot, tables)``.

Every manifest in the folder is judged, oldest `as_of` first, one after the other:

    known          this file, as of then or later, was loaded before        nothing happens
    LOADED         it is what its manifest says, and not older              a new snapshot stands
    Refused        anything else                                            the old one stands

`record` is told of each load before its snapshot takes the old one's place, and of each refusal:
if it raises, the old snapshot stands. So a load may be told that did not come to be (the machine
lost its power in between; the next run loads and tells it again), never the other way round.

A data file without its manifest is still on its way and only counted. The folder itself is
read, never changed: who fills it, empties it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from adapters.drops.delivery import (
    MANIFESTS,
    TABLES,
    Manifest,
    Refusal,
    Refused,
    read_file,
    read_manifest,
    shown,
)
from adapters.drops.sheet import rows_of
from adapters.drops.snapshot import Delivery, Shape, columns_of, deliveries, locked, replace_table
from catalog.errors import Readable

SHRINKS = 2  # fewer than one row in so many of what stands is more likely a broken export
SLACK = timedelta(hours=1)  # a department's clock may go before ours by so much


class NoFolder(Readable):
    """The drop folder is not there or cannot be read."""


class Fate(StrEnum):
    """What became of a delivery."""

    LOADED = "LOADED"
    KNOWN = "KNOWN"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One manifest judged. `table`, `as_of`, `rows` as far as it could be read."""

    manifest: str
    fate: Fate
    table: str | None = None
    as_of: datetime | None = None
    rows: int | None = None
    refused: Refused | None = None
    sha256: str | None = None


Record = Callable[[Outcome], None]


def untold(_outcome: Outcome) -> None:
    """The `record` of a load that nobody need know of, as in a rehearsal."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """All manifests of the folder judged; `waiting` data files have no manifest yet."""

    outcomes: tuple[Outcome, ...]
    waiting: tuple[str, ...]

    @property
    def refused(self) -> tuple[Refused, ...]:
        """What was not taken, and why."""
        return tuple(o.refused for o in self.outcomes if o.refused is not None)


def load_drop(
    folder: Path,
    snapshot: Path,
    tables: Sequence[Shape],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    record: Record = untold,
) -> Loaded:
    """Judge every delivery in `folder`; load what is new and good. Blocks; waits for its turn.

    NoFolder; SnapshotBroken if the snapshot cannot be read or written; what `record` raises.
    """
    known = {name: shape for shape in tables for name in (shape.table, *shape.names)}
    with locked(snapshot):
        files = _files(folder)
        read = [_read(folder / name) for name in files if name.endswith(MANIFESTS)]
        good = [m for m in read if isinstance(m, Manifest)]
        bad = tuple(m for m in read if isinstance(m, Outcome))
        good.sort(key=lambda m: (m.as_of, m.name))
        for outcome in bad:
            record(outcome)
        judged = [_judged(folder, snapshot, known, m, now(), record) for m in good]
    vouched = {m.file for m in good}
    waiting = (n for n in files if n.lower().endswith(TABLES) and n not in vouched)
    return Loaded((*bad, *judged), tuple(shown(name) for name in waiting))


def _files(folder: Path) -> list[str]:
    try:
        return sorted(f.name for f in folder.iterdir() if not f.name.startswith("."))
    except OSError:
        raise NoFolder(f"送达目录 {folder} 不存在或不可读：请检查路径与权限") from None


def _read(path: Path) -> Manifest | Outcome:
    try:
        return read_manifest(path)
    except Refused as refused:
        return Outcome(shown(path.name), Fate.REFUSED, refused=refused)
    except FileNotFoundError:
        gone = Refused(Refusal.MISSING, path.name, "清单在读取前已被移走")
        return Outcome(shown(path.name), Fate.REFUSED, refused=gone)


def _judged(
    folder: Path,
    snapshot: Path,
    known: dict[str, Shape],
    manifest: Manifest,
    now: datetime,
    record: Record,
) -> Outcome:
    shape = known.get(manifest.table)
    loaded = Outcome(
        shown(manifest.name),
        Fate.LOADED,
        shape.table if shape else None,
        manifest.as_of,
        manifest.rows,
        sha256=manifest.sha256,
    )
    try:
        if shape is None:
            why = "table 不是此数据源的表或数据集"
            raise Refused(Refusal.MANIFEST, manifest.name, why)
        fate = _taken(folder, snapshot, shape, manifest, now, lambda: record(loaded))
    except Refused as refused:
        outcome = replace(loaded, fate=Fate.REFUSED, refused=refused)
        record(outcome)
        return outcome
    return replace(loaded, fate=fate)


def _taken(
    folder: Path,
    snapshot: Path,
    shape: Shape,
    manifest: Manifest,
    now: datetime,
    told: Callable[[], None],
) -> Fate:
    before = [d for d in deliveries(snapshot) if d.table == shape.table]
    if _is_known(before, manifest) and set(shape.columns) <= {*columns_of(snapshot, shape.table)}:
        return Fate.KNOWN
    stands = max((d for d in before if d.current), key=lambda d: d.as_of, default=None)
    _refuse_by_date(manifest, stands, now)
    content = read_file(folder, manifest)
    _refuse_by_size(manifest, stands)
    rows = rows_of(content, manifest, shape.columns, shape.layout)
    delivered = Delivery(
        table=shape.table,
        file=manifest.file,
        sha256=manifest.sha256,
        as_of=manifest.as_of,
        rows=manifest.rows,
        loaded_at=now,
        current=True,
    )
    # INVARIANT: rows that turn out not to be as promised end the writing before the rename.
    replace_table(snapshot, shape, rows, delivered, before_it_stands=told)
    return Fate.LOADED


def _refuse_by_date(manifest: Manifest, stands: Delivery | None, now: datetime) -> None:
    if stands is not None and manifest.as_of < stands.as_of:
        why = f"数据时点 {_told(manifest.as_of)} 早于已载入的 {_told(stands.as_of)}"
        raise Refused(Refusal.OLDER, manifest.file, why)
    if manifest.as_of > now + SLACK:
        # Taken, it would make every honest delivery before that day an older one.
        raise Refused(Refusal.AHEAD, manifest.name, f"数据时点 {_told(manifest.as_of)} 尚未到来")


def _refuse_by_size(manifest: Manifest, stands: Delivery | None) -> None:
    """An export that broke off looks like a county in which nobody is in need any more."""
    if manifest.shrunk:
        return
    if manifest.rows == 0:
        why = "没有数据行：确无数据的，请部门在清单中写明 shrunk = true"
        raise Refused(Refusal.EMPTY, manifest.file, why)
    if stands is not None and manifest.rows * SHRINKS < stands.rows:
        fewer = f"只有 {manifest.rows} 行，不及已载入的 {stands.rows} 行的一半"
        why = f"{fewer}：确已减少的，请部门在清单中写明 shrunk = true"
        raise Refused(Refusal.SHRUNK, manifest.file, why)


def _is_known(before: Sequence[Delivery], manifest: Manifest) -> bool:
    """The same bytes, as of then or later: sent twice. As of a newer day they are news."""
    same = (d for d in before if d.sha256 == manifest.sha256)
    return any(d.as_of >= manifest.as_of for d in same)


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
