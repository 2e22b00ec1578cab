"""Level, right and mask printed at a field are those of the catalogue's files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType

from resolvers.binding import Bindings

CATALOG = Path(__file__).parents[2] / "catalog"
PRINTED = re.compile(
    r"级别：(?P<level>[^；]+)；授权对象：(?P<object>[^；]+)；脱敏：(?P<mask>[^；]+)$"
)
OFFERED = re.compile(
    r"提供单位：(?P<by>[^；]+)；共享属性：(?P<kind>[^；]+)；授权对象：(?P<object>\S+)$"
)


def toml(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def datasets() -> list[tuple[str, dict[str, Any]]]:
    """(department of the source, data set) as written, not as loaded."""
    files = sorted((CATALOG / "datasets").glob("*.toml"))
    read = [toml(file) for file in files]
    return [(one["source"]["department"], d) for one in read for d in one["dataset"]]


@pytest.fixture(scope="module")
def labels() -> dict[str, dict[str, str]]:
    return {t["name"]: t["values"] for t in toml(CATALOG / "codes.toml")["table"]}


def test_every_column_prints_level_right_and_mask(
    built: Bindings, datasets: list[tuple[str, dict[str, Any]]], labels: dict[str, dict[str, str]]
) -> None:
    seen = 0
    for _, dataset in datasets:
        kind = built.schema.type_map[dataset["type"]]
        assert isinstance(kind, GraphQLObjectType)
        for field in dataset["field"]:
            if not field.get("exposed", True):
                assert field["name"] not in kind.fields
                continue
            description = kind.fields[field["name"]].description or ""
            printed = PRINTED.search(description)
            assert printed, f"{dataset['type']}.{field['name']}: {description}"
            assert printed["level"] == labels["Sensitivity"][field["sensitivity"]]
            assert printed["object"] == field.get("object", dataset["object"])
            assert printed["mask"] == labels["Mask"][field.get("mask", "NONE")]
            assert description.startswith(f"{field['title']}。")
            seen += 1
    assert seen > 100


def test_every_type_prints_who_offers_it_and_how(
    built: Bindings, datasets: list[tuple[str, dict[str, Any]]], labels: dict[str, dict[str, str]]
) -> None:
    departments = toml(CATALOG / "departments.toml")
    for department, dataset in datasets:
        description = built.schema.type_map[dataset["type"]].description or ""
        printed = OFFERED.search(description)
        assert printed, f"{dataset['type']}: {description}"
        provider = departments[dataset.get("provider", department)]
        assert printed["by"] == provider["short"]
        assert printed["kind"] == labels["SharingKind"][dataset["sharing"]["kind"]]
        assert printed["object"] == dataset["object"]


def test_a_masked_field_may_be_null(built: Bindings) -> None:
    """A value that a mask may take away must not be promised."""
    promised = [
        f"{name}.{field}"
        for name, kind in built.schema.type_map.items()
        if isinstance(kind, GraphQLObjectType)
        for field, made in kind.fields.items()
        if (printed := PRINTED.search(made.description or ""))
        and printed["mask"] != "不脱敏"
        and str(made.type).endswith("!")
    ]
    assert promised == []
