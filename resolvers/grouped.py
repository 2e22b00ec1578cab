"""Groups instead of rows: what a grouping may ask, and the one statement that answers it.

Two ways to be told numbers. Who may list rows counts them himself, so he is given exact counts
over his own Lens, grouped and filtered as he likes. Who may only tally is shown the published
tables: their one statement groups the whole cube at once (`publication`).
"""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import EXTRA, Bucket, Leaf, ReadRequest
from authz.lens import Lens, Mode
from catalog.errors import BadUserInput, HubError
from domain import tally
from resolvers.plan import Read
from resolvers.roots.stats import DIMENSIONS

GROUPS = 10_000  # of one answer: twelve months by townships, items and a state have 2,000
CUBE_CELLS = 1_000_000  # of the one statement behind the published tables
FROM, UNTIL = "from", "until"


def fault(read: Read, lens: Lens) -> HubError | None:
    """Why the groups cannot be asked like this: their dimensions, unclear columns, the cube."""
    by = by_of(read)
    if len(set(by)) < len(by):
        return BadUserInput("分组维度不能重复", reason="DIMENSION")
    if {tally.TOWNSHIP, tally.VILLAGE} <= set(by):
        return BadUserInput("乡镇与村不能同时用作分组维度：村已属于乡镇", reason="DIMENSION")
    if lens.mode is Mode.TALLY:
        return _beside_the_cube(read)
    columns = [c for c in (*_columns(read), *_measured(read)) if not lens.sortable(c)]
    columns += [c for c in _filtered(read) if not lens.sortable(c)]
    if columns:
        return BadUserInput(
            f"不能按 `{columns[0]}` 汇总或筛选：该列对您并非每行都是明文", reason="FILTER_NOT_CLEAR"
        )
    return None


def _beside_the_cube(read: Read) -> HubError | None:
    if read.where:
        return BadUserInput("您只能查看发布的汇总表，不能另加筛选", reason="CUBE")
    if tally.table_of(by_of(read)) is None:
        return BadUserInput(
            f"发布的汇总表没有这样的维度组合：最多 {tally.TOGETHER} 个维度，"
            f"按村时另加至多 {tally.BESIDE_VILLAGE} 个，且不含是否超时",
            reason="CUBE",
        )
    return None


def coordinates(read: Read) -> tuple[str, ...]:
    """What the record says was grouped by: coordinates of the schema's enumeration."""
    return tuple(f"{read.group.enum}.{name}" for name in by_of(read)) if read.group else ()


def by_of(read: Read) -> tuple[str, ...]:
    """The dimensions grouped by, in this order."""
    return read.group.by if read.group else ()


def request(read: Read, lens: Lens) -> ReadRequest:
    """The one statement: the asked groups, or every cell of the published cube."""
    assert read.group is not None  # noqa: S101  asked for such Reads alone
    cube = lens.mode is Mode.TALLY
    group = replace(read.group, by=tally.BASE) if cube else read.group
    keys, columns = group.keys, (*_columns(replace(read, group=group)), *_measured(read))
    filed = DIMENSIONS[tally.MONTH].column
    window = (
        Leaf(filed, "ge", f"r{read.id}_{FROM}"),
        Leaf(filed, "lt", f"r{read.id}_{UNTIL}"),
    )
    return ReadRequest(
        dataset=read.dataset,
        columns=tuple(dict.fromkeys(columns)),
        extra=tuple(dict.fromkeys(k.column for k in keys if k.column not in columns)),
        lens=lens,
        where=window if cube else read.where,
        group=keys,
        measures=group.measures,
        top=group.most is not None,
        prefix=f"r{read.id}",
    )


def _columns(read: Read) -> tuple[str, ...]:
    """The catalogue's columns among the dimensions; region and owner are none."""
    keys = read.group.keys if read.group else ()
    plain = (k.column for k in keys if k.bucket in (Bucket.VALUE, Bucket.MONTH))
    return tuple(column for column in plain if not column.startswith(EXTRA))


def _measured(read: Read) -> tuple[str, ...]:
    """The catalogue's columns that are counted or added up."""
    measures = read.group.measures if read.group else ()
    return tuple(m.column for m in measures if m.column and m.column in read.dataset.by_name)


def _filtered(read: Read) -> tuple[str, ...]:
    return tuple(w.column for w in read.where if w.column in read.dataset.by_name)
