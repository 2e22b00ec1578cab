"""Data sets of the hub's own store that lie in another database with the same tables.

The files say what a data set is; where the office keeps its rows is a setting. `placed` makes
a catalogue in which those data sets name the other source: whatever goes by a data set's
source (what may ride, statements, guards, the record) then goes by that one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from catalog.datasets import Dataset, SourceSpec
from catalog.grades import Mask
from catalog.load import Catalog

OWN = "hub"
WORDS = ("division", "department", "dataset", "dataset_field")
"""Filled from the catalogue into the hub's store, so read from there."""
FROZEN = ("monthly_bulletin", "bulletin_figure", "ranking_place")
"""Written by the hub into its store with the record of that, so read from there."""
ACCOUNTS = ("account_change", "account_change_event", "training_record", "staffing_gap")
"""About accounts, which lie in the hub's store and nowhere else."""

Where = Mapping[str, str]
"""Data set -> the source it is placed on; all others stay where their file says."""


def placed(catalog: Catalog, where: Where) -> Catalog:
    """The same words with each data set at its place; nothing of `where` may be misplaced.

    Each source named is new in ``sources``, a copy of the hub's own.
    """
    moved = {name: replace(catalog.datasets[name], source=where[name]) for name in where}
    datasets = {name: moved.get(name, one) for name, one in catalog.datasets.items()}
    own = catalog.sources[OWN]
    copies = {name: _copy(own, name) for name in sorted(set(where.values()))}
    sources = {
        name: replace(spec, datasets=tuple(d for d in datasets.values() if d.source == name))
        for name, spec in {**catalog.sources, **copies}.items()
    }
    return replace(catalog, sources=sources, datasets=datasets)


def _copy(own: SourceSpec, name: str) -> SourceSpec:
    return replace(own, name=name, title=f"{own.title}（{name}）", copy_of=own.name)


def misplaced(catalog: Catalog, where: Where) -> Iterator[tuple[str, str]]:
    """(data set, why it cannot be placed so and what to do) in Chinese, one a fault."""
    for name, source in where.items():
        dataset = catalog.datasets.get(name)
        if dataset is None:
            yield name, f"没有数据集 `{name}`，{_hint(catalog, name)}"
        elif dataset.source != OWN:
            whose = f"数据集 `{name}` 属于数据源 `{dataset.source}`"
            yield name, f"{whose}，只有自有库（`{OWN}`）的数据集可以另放，请删除此设置"
        elif source in catalog.sources:
            whose = f"`{source}` 是{catalog.sources[source].title}"
            yield name, f"{whose}，不能存放自有库的数据集，请换一个名称并在 sources 中填写其地址"
        elif name in WORDS:
            yield name, f"{_word(catalog, dataset)}，请删除此设置"
        elif name in FROZEN:
            yield name, f"数据集 `{name}` 由冻结写入自有库，须留在 `{OWN}`，请删除此设置"
        elif name in ACCOUNTS:
            yield name, f"数据集 `{name}` 与账号存放在一处，须留在 `{OWN}`，请删除此设置"
        else:
            yield from ((name, why) for why in _torn(catalog, where, name))


def _hint(catalog: Catalog, name: str) -> str:
    staying = (*WORDS, *FROZEN, *ACCOUNTS)
    own = [d.name for d in catalog.sources[OWN].datasets if d.name not in staying]
    near = difflib.get_close_matches(name, own, n=1)
    return f"是否应为 `{near[0]}`？" if near else f"可以另放的是 {'、'.join(own)}"


def _word(catalog: Catalog, word: Dataset) -> str:
    why = f"数据集 `{word.name}` 由目录写入自有库，须留在 `{OWN}`"
    if word.name != "division":
        return why
    # Each copy has divisions of its own, which are compared with the catalogue at start.
    own = catalog.sources[OWN].datasets
    masked = [f"`{d.name}`" for d in own if any(f.mask is Mask.AREA for f in d.fields)]
    return f"{why}；{'、'.join(masked)} 按区划脱敏时在自己的库中读取它"


def _torn(catalog: Catalog, where: Where, name: str) -> Iterator[str]:
    """Why this data set may not lie apart from those that one statement reads with it."""
    for pair in _together(catalog.sources[OWN].datasets):
        if name not in pair:
            continue
        other = pair[0] if pair[1] == name else pair[1]
        place = where.get(other, OWN)
        if place != where[name]:
            both = f"数据集 `{name}` 与 `{other}` 在同一条语句中读取"
            yield f"{both}，须在同一数据源（`{other}` 现在 `{place}`）"


def _together(own: tuple[Dataset, ...]) -> Iterator[tuple[str, str]]:
    """Data sets that share a table, join the other's, or nest in it."""
    for one in own:
        tables = {one.table, *(join.table for join in one.joins)}
        nested = {nest.dataset for nest in one.nests}
        for other in own:
            if other is not one and (other.table in tables or other.name in nested):
                yield one.name, other.name
