"""Links between pages lead somewhere, and what a page calls a file or a function is one."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from graphql import parse, validate

from catalog.load import load
from schema.build import build

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NAMED = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|toml|csv|graphql|conf|json))(?:::([\w.]+))?`")
_SLUG = re.compile(r"[^\w\- ]")
OUTSIDE = ("https://keepachangelog.com/",)
BY_DOC = "docs/adding-a-department.md"  # its own files are made by its own test


def _slug(heading: str) -> str:
    """The anchor a heading gets where Markdown is shown."""
    return _SLUG.sub("", heading.lower()).replace(" ", "-")


def _names(file: Path) -> set[str]:
    """What a module defines: functions, classes and Class.method."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [
                n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            found |= {f"{node.name}.{m.name}" for m in methods}
    return found


def test_every_link_leads_to_a_page_and_a_heading(pages: list[Any]) -> None:
    by_path = {page.path: page for page in pages}
    broken, followed = [], 0
    for page in pages:
        for target in _LINK.findall(page.prose):
            if target.startswith(OUTSIDE):
                continue
            name, _, anchor = unquote(target).partition("#")
            file = (page.path.parent / name).resolve() if name else page.path
            headings = by_path[file].headings if file in by_path else None
            known = (
                {_slug(h) for level in range(1, 5) for h in headings(level)} if headings else set()
            )
            if not file.exists() or (anchor and anchor not in known):
                broken.append(f"{page.path.name}: {target}")
            followed += 1
    assert broken == []
    assert followed > 60


def test_every_file_and_function_a_page_names_exists(pages: list[Any], root: Path) -> None:
    tops = {path.name for path in root.iterdir() if path.is_dir()}
    wrong, checked = [], 0
    for page in pages:
        for name, member in _NAMED.findall(page.prose):
            if name.split("/")[0] not in tops or "*" in name:
                continue
            file = root / name
            if not file.is_file() or (member and member not in _names(file)):
                wrong.append(f"{page.path.name}: {name}::{member}")
            checked += 1
    assert wrong == []
    assert checked > 80


def test_every_decision_is_one_page_with_its_four_parts(root: Path) -> None:
    decisions = sorted((root / "docs" / "adr").glob("*.md"))
    numbers = [path.name[:4] for path in decisions]
    assert numbers == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        parts = [line[3:] for line in text.splitlines() if line.startswith("## ")]
        assert parts == ["Context", "Decision", "Consequences", "Refused"], path.name
        assert len(text.splitlines()) <= 60, path.name


def test_every_query_of_a_page_fits_the_schema(
    page: Callable[[str], Any], pages: list[Any]
) -> None:
    schema = build(load()).schema
    queries = [q for p in pages if p.path != page(BY_DOC).path for q in p.blocks("graphql")]
    assert len(queries) >= 2
    for query in queries:
        assert validate(schema, parse(query)) == []
