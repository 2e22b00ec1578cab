"""Every data set has its heading, every shown field its line, as the catalogue says them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from catalog.datasets import Dataset, Field
from catalog.load import Catalog

PAGE = "docs/datasets.md"


def _line(dataset: Dataset, field: Field) -> str:
    own = "" if field.object == dataset.object else f" · `{field.object}`"
    return f"- `{field.name}` {field.title} · {field.sensitivity.value} · {field.mask.value}{own}"


def test_every_data_set_has_its_heading_and_no_other(
    page: Callable[[str], Any], catalog: Catalog
) -> None:
    assert page(PAGE).headings(3) == [f"`{d.name}` {d.title}" for d in catalog.datasets.values()]


def test_every_source_has_its_heading_and_no_other(
    page: Callable[[str], Any], catalog: Catalog
) -> None:
    assert page(PAGE).headings(2) == [f"{s.title} (`{s.name}`)" for s in catalog.sources.values()]


def test_every_field_has_its_line_and_no_other(
    page: Callable[[str], Any], catalog: Catalog
) -> None:
    for dataset in catalog.datasets.values():
        section = page(PAGE).section(f"`{dataset.name}` {dataset.title}")
        told = [line for line in section.splitlines() if line.startswith("- ")]
        assert told == [_line(dataset, f) for f in dataset.fields if f.exposed], dataset.name


def test_every_data_set_says_type_object_sharing_basis_and_place(
    page: Callable[[str], Any], catalog: Catalog
) -> None:
    for d in catalog.datasets.values():
        condition = f"（{d.sharing.condition}）" if d.sharing.condition else ""
        place = f"`{d.facet.on}.{d.facet.container}.{d.facet.field}`" if d.facet else "—"
        said = (
            f"类型 `{d.type}` · 授权对象 `{d.object}` · "
            f"{catalog.codes['SharingKind'][d.sharing.kind.value]}{condition} · "
            f"{catalog.codes['UpdateCycle'][d.update_cycle.value]} · "
            f"依据 `{d.legal_basis}` · 位置 {place}"
        )
        assert said in page(PAGE).section(f"`{d.name}` {d.title}"), d.name
