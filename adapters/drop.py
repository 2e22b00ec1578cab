"""A drop folder taken in: ``load_drop(folder, snapshot, tables)``.

Every manifest in the folder is judged, oldest `as_of` first, one after the other:

    known          this file, as of then or later, was loaded before        nothing happens
    LOADED         it is what its manifest says, and not older              a new snapshot stands
    Refused        anything else                                            the old one stands

A data file without its manifest is still on its way and only counted. The folder itself is
read, never changed: who fills it, empties it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from adapters.delivery import (
    MANIFESTS,
    TABLES,
    Manifest,
    Refusal,
    Refused,
    read_file,
    read_manifest,
    shown,
)
from adapters.sheet import rows_of
from adapters.snapshot import Delivery, Shape, columns_of, deliveries, locked, replace_table
from catalog.errors import Readable

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
) -> Loaded:
    """Judge every delivery in `folder`; load what is new and good. Blocks; waits for its turn.

    NoFolder; SnapshotBroken if the snapshot cannot be read or written.
    """
    known = {name: shape for shape in tables for name in (shape.table, *shape.names)}
    with locked(snapshot):
        files = _files(folder)
        read = [_read(folder / name) for name in files if name.endswith(MANIFESTS)]
        good = [m for m in read if isinstance(m, Manifest)]
        bad = tuple(m for m in read if isinstance(m, Outcome))
        good.sort(key=lambda m: (m.as_of, m.name))
        judged = [_judged(folder, snapshot, known, manifest, now()) for manifest in good]
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
    folder: Path, snapshot: Path, known: dict[str, Shape], manifest: Manifest, now: datetime
) -> Outcome:
    name, as_of, rows = shown(manifest.name), manifest.as_of, manifest.rows
    shape = known.get(manifest.table)
    table = shape.table if shape else None
    try:
        if shape is None:
            why = "table 不是此数据源的表或数据集"
            raise Refused(Refusal.MANIFEST, manifest.name, why)
        fate = _taken(folder, snapshot, shape, manifest, now)
    except Refused as refused:
        return Outcome(name, Fate.REFUSED, table, as_of, rows, refused)
    return Outcome(name, fate, table, as_of, rows)


def _taken(folder: Path, snapshot: Path, shape: Shape, manifest: Manifest, now: datetime) -> Fate:
    before = [d for d in deliveries(snapshot) if d.table == shape.table]
    if _is_known(before, manifest) and set(shape.columns) <= {*columns_of(snapshot, shape.table)}:
        return Fate.KNOWN
    stands = max((d.as_of for d in before if d.current), default=None)
    if stands is not None and manifest.as_of < stands:
        why = f"数据时点 {_told(manifest.as_of)} 早于已载入的 {_told(stands)}"
        raise Refused(Refusal.OLDER, manifest.file, why)
    if manifest.as_of > now + SLACK:
        # Taken, it would make every honest delivery before that day an older one.
        raise Refused(Refusal.AHEAD, manifest.name, f"数据时点 {_told(manifest.as_of)} 尚未到来")
    content = read_file(folder, manifest)
    rows = rows_of(content, manifest, shape.columns, shape.layout)
    told = Delivery(
        table=shape.table,
        file=manifest.file,
        sha256=manifest.sha256,
        as_of=manifest.as_of,
        rows=manifest.rows,
        loaded_at=now,
        current=True,
    )
    # INVARIANT: rows that turn out not to be as promised end the writing before the rename.
    replace_table(snapshot, shape, rows, told)
    return Fate.LOADED


def _is_known(before: Sequence[Delivery], manifest: Manifest) -> bool:
    """The same bytes, as of then or later: sent twice. As of a newer day they are news."""
    same = (d for d in before if d.sha256 == manifest.sha256)
    return any(d.as_of >= manifest.as_of for d in same)


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
