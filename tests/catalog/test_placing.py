"""Data sets of the hub's own store at another source: a new catalogue, or why it cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.datasets import Join, Nest
from catalog.load import Catalog, load
from catalog.placing import ACCOUNTS, FROZEN, WORDS, misplaced, placed

WHERE = {"case": "cases", "supervision_order": "cases", "case_event": "events"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def names(catalog: Catalog, source: str) -> list[str]:
    return [d.name for d in catalog.sources[source].datasets]


def test_placed_data_sets_name_their_source_and_nothing_else_changes(catalog: Catalog) -> None:
    apart = placed(catalog, WHERE)
    assert list(apart.datasets) == list(catalog.datasets)
    assert {n: d.source for n, d in apart.datasets.items() if d != catalog.datasets[n]} == WHERE
    back = {n: replace(d, source="hub") if n in WHERE else d for n, d in apart.datasets.items()}
    assert back == catalog.datasets
    assert replace(apart, sources=catalog.sources, datasets=catalog.datasets) == catalog


def test_a_source_is_made_of_what_is_placed_on_it_and_is_a_copy_of_the_hubs(
    catalog: Catalog,
) -> None:
    apart = placed(catalog, WHERE)
    assert set(apart.sources) - set(catalog.sources) == {"cases", "events"}
    assert names(apart, "cases") == ["case", "supervision_order"]
    assert names(apart, "events") == ["case_event"]
    assert names(apart, "hub") == [n for n in names(catalog, "hub") if n not in WHERE]
    cases, own = apart.sources["cases"], catalog.sources["hub"]
    assert (cases.title, cases.copy_of, own.copy_of) == ("中枢自有库（cases）", "hub", None)
    assert (cases.department, cases.kind, cases.scheme) == (own.department, own.kind, own.scheme)


def test_the_files_words_stay_as_they_are(catalog: Catalog) -> None:
    placed(catalog, WHERE)
    assert load() is catalog
    assert {catalog.datasets[name].source for name in WHERE} == {"hub"}


def test_the_offices_own_data_sets_can_be_placed_alone_and_together(catalog: Catalog) -> None:
    own = [name for name in names(catalog, "hub") if name not in (*WORDS, *FROZEN, *ACCOUNTS)]
    assert own == [
        *("citizen", "household", "case", "case_event", "supervision_order"),
        *("work_order", "timeout_event", "supervision_event"),
        *("complaint", "complaint_event", "comparison_run", "risk_clue"),
        *("spot_check", "spot_check_item"),
        *("correction", "correction_event", "correction_reader"),
        *("sharing_request", "sharing_request_event", "sharing_fault"),
    ]
    assert list(misplaced(catalog, {name: f"s_{name}" for name in own})) == []
    assert [list(misplaced(catalog, {name: "elsewhere"})) for name in own] == [[]] * 20


@pytest.mark.parametrize(
    ("name", "source", "why"),
    [
        ("cas", "cases", "没有数据集 `cas`，是否应为 `case`？"),
        (
            "xyz",
            "cases",
            "没有数据集 `xyz`，可以另放的是 citizen、household、case、case_event、"
            "supervision_order、work_order、timeout_event、supervision_event、complaint、"
            "complaint_event、comparison_run、risk_clue、spot_check、spot_check_item、correction、correction_event、correction_reader、"
            "sharing_request、sharing_request_event、sharing_fault",
        ),
        (
            "min_living",
            "cases",
            "数据集 `min_living` 属于数据源 `mz_assist`，只有自有库（`hub`）的数据集可以另放，"
            "请删除此设置",
        ),
        (
            "audit_event",
            "cases",
            "数据集 `audit_event` 属于数据源 `audit`，只有自有库（`hub`）的数据集可以另放，"
            "请删除此设置",
        ),
        (
            "case",
            "mz_assist",
            "`mz_assist` 是民政社会救助系统，不能存放自有库的数据集，请换一个名称并在 sources 中"
            "填写其地址",
        ),
        (
            "division",
            "cases",
            "数据集 `division` 由目录写入自有库，须留在 `hub`；`citizen` 按区划脱敏时在自己的库中"
            "读取它，请删除此设置",
        ),
        (
            "staffing_gap",
            "cases",
            "数据集 `staffing_gap` 与账号存放在一处，须留在 `hub`，请删除此设置",
        ),
        ("dataset", "cases", "数据集 `dataset` 由目录写入自有库，须留在 `hub`，请删除此设置"),
    ],
)
def test_what_cannot_be_placed_says_why_and_what_to_do(
    catalog: Catalog, name: str, source: str, why: str
) -> None:
    assert list(misplaced(catalog, {name: source})) == [(name, why)]


def joined(catalog: Catalog) -> Catalog:
    """A catalogue in which events are read with a column of their case."""
    return _with(catalog, "case_event", joins=(Join("case_file", "case_id", "id"),))


def nested(catalog: Catalog) -> Catalog:
    """A catalogue in which events are a nest of their case."""
    nest = Nest("events", "case_event", "id", "case_id", "办件事件")
    return _with(catalog, "case", nests=(nest,))


def shared(catalog: Catalog) -> Catalog:
    """A catalogue in which events are rows of the cases' own table."""
    return _with(catalog, "case_event", table="case_file")


def _with(catalog: Catalog, name: str, **changed: object) -> Catalog:
    dataset = replace(catalog.datasets[name], **changed)  # type: ignore[arg-type]
    own = catalog.sources["hub"]
    datasets = tuple(dataset if d.name == name else d for d in own.datasets)
    return replace(
        catalog,
        sources={**catalog.sources, "hub": replace(own, datasets=datasets)},
        datasets={**catalog.datasets, name: dataset},
    )


@pytest.mark.parametrize("bound", [joined, nested, shared])
def test_data_sets_that_one_statement_reads_are_not_torn_apart(
    catalog: Catalog, bound: object
) -> None:
    assert callable(bound)
    words = bound(catalog)
    why = "数据集 `{}` 与 `{}` 在同一条语句中读取，须在同一数据源（`{}` 现在 `{}`）"
    assert set(misplaced(words, {"case": "cases"})) == {
        ("case", why.format("case", "case_event", "case_event", "hub"))
    }
    assert set(misplaced(words, {"case_event": "events"})) == {
        ("case_event", why.format("case_event", "case", "case", "hub"))
    }
    assert set(misplaced(words, {"case": "cases", "case_event": "events"})) == {
        ("case", why.format("case", "case_event", "case_event", "events")),
        ("case_event", why.format("case_event", "case", "case", "cases")),
    }
    assert list(misplaced(words, {"case": "cases", "case_event": "cases"})) == []
    assert list(misplaced(words, {"supervision_order": "cases"})) == []
