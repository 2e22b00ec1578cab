"""The page on gateways says the keys, the limits and the headers that are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphql import build_schema, parse, validate

from catalog.load import Catalog
from hub import notes
from hub.app import DOCUMENT_LIMITS
from hub.identity import asking, end_users
from schema.build import build
from schema.entities import entities

PAGE = "docs/federation.md"
EXAMPLES = "examples/gateways"


def test_the_keys_are_those_of_the_catalogue(page: Callable[[str], Any], catalog: Catalog) -> None:
    told = {kind.strip("`"): keys for kind, keys, *_ in page(PAGE).rows("中枢给出什么")}
    known = {t: "，".join(f"`{k.field}`" for k in keys) for t, keys in entities(catalog).items()}
    assert told == known


def test_the_limit_is_the_programs(page: Callable[[str], Any]) -> None:
    told = page(PAGE).section("引用怎样回答")
    assert f"最多 {DOCUMENT_LIMITS.representations} 个引用" in told


def test_the_headers_are_those_the_hub_reads_and_the_examples_forward(
    page: Callable[[str], Any], root: Path
) -> None:
    cells = (cell for cell, _ in page(PAGE).rows("网关须转交什么"))
    told = {name.lower() for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    read = {h.decode() for h in (asking.CASE_HEADER, end_users.HEADER, notes.HEADER)}
    assert told == {"authorization", "x-purpose", "traceparent", *read}
    router = (root / EXAMPLES / "router.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"named: ([\w-]+)", router)) == told
    hive = (root / EXAMPLES / "gateway.config.mjs").read_text(encoding="utf-8")
    listed = hive.partition("FOR_THE_HUB = [")[2].partition("]")[0]
    assert set(re.findall(r'"([\w-]+)"', listed)) == told


def test_the_example_extends_entities_by_keys_they_have(root: Path, catalog: Catalog) -> None:
    text = (root / EXAMPLES / "visits.graphql").read_text(encoding="utf-8")
    found = re.findall(r'^type (\w+) @key\(fields: "(\w+)"\)', text, re.MULTILINE)
    known = [(kind, key.field) for kind, keys in entities(catalog).items() for key in keys]
    assert found == [("Citizen", "id"), ("Case", "caseNo")]
    assert set(found) <= set(known)


def test_the_question_of_the_example_can_be_asked(root: Path, catalog: Catalog) -> None:
    """Of the two subgraphs together: here both are read as one schema."""
    text = (root / EXAMPLES / "question.graphql").read_text(encoding="utf-8")
    visits = (root / EXAMPLES / "visits.graphql").read_text(encoding="utf-8")
    own = visits.partition("type Query")[2].partition("type Citizen")[0]
    whole = build_schema(build(catalog).subgraph + "extend type Query" + own, assume_valid_sdl=True)
    assert validate(whole, parse(text)) == []
