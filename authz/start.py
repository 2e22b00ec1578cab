"""The shipped start set: policy.csv, which an officer can read, as checked rules.

The file holds the nine columns and the basis. `object` and `action` may list several words
with ``|``, `action` of a deny may be ``*`` for every act: each combination becomes one line
of its own. Lines beginning with ``#`` explain. Nothing enters the table unchecked.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from authz.errors import RuleError
from authz.roles import pairs, roles
from authz.rule import ACTS, COLUMNS, Rule, check_rule
from catalog.load import Catalog
from store.policy import seed_policy

HERE = Path(__file__).parent
POLICY_FILE, DEMO_FILE = HERE / "policy.csv", HERE / "policy_demo.csv"


def start_rules(catalog: Catalog, *, demo: bool = False) -> tuple[Rule, ...]:
    """The shipped lines, checked; with `demo` those of the demonstration too."""
    files = [POLICY_FILE, *([DEMO_FILE] if demo else [])]
    return tuple(rule for file in files for rule in read_policy(file, catalog, demo=demo))


async def seed(conn: AsyncConnection, catalog: Catalog, *, by: str, demo: bool = False) -> int:
    """Replace the policy in the store by the start set; the new version."""
    rules = start_rules(catalog, demo=demo)
    links = [p for p in pairs(roles()) if demo or not roles()[p[0]].demo]
    objects = [(o.name, o.provider, o.sharing.value) for o in catalog.objects.values()]
    lines = [(rule.id, *rule.line, rule.basis) for rule in rules]
    return await seed_policy(conn, lines, links, objects, by)


def read_policy(file: Path, catalog: Catalog, *, demo: bool = False) -> tuple[Rule, ...]:
    """All lines of one file; RuleError names file and line of the first fault."""
    with file.open(encoding="utf-8", newline="") as stream:
        numbered = [(n, text) for n, text in enumerate(stream, start=1) if text.strip()]
    lines = [(n, text) for n, text in numbered if not text.startswith("#")]
    if not lines or lines[0][1].rstrip() != ",".join(COLUMNS):
        raise RuleError("header", f"{file.name}：首行须为 {','.join(COLUMNS)}")
    return tuple(_checked(file.name, lines[1:], catalog, demo))


def read_lines(
    name: str, lines: Iterable[str], catalog: Catalog, *, demo: bool = False
) -> tuple[Rule, ...]:
    """Lines that stand elsewhere than in a file; RuleError names `name` and line."""
    return tuple(_checked(name, enumerate(lines, start=1), catalog, demo))


def _checked(
    name: str, lines: Iterable[tuple[int, str]], catalog: Catalog, demo: bool
) -> Iterator[Rule]:
    seen: set[tuple[str, ...]] = set()
    for number, text in lines:
        for rule in _expanded(name, number, text):
            fault = check_rule(rule, catalog, demo=demo)
            if fault is None and rule.line in seen:
                fault = RuleError("rule", "与前面的行重复：请删除")
            if fault is not None:
                raise RuleError(fault.column, f"{name} 第 {number} 行：{fault.message}")
            seen.add(rule.line)
            yield rule


def _expanded(name: str, number: int, text: str) -> Iterator[Rule]:
    try:
        values = next(csv.reader([text], strict=True))
    except csv.Error:
        raise RuleError("row", f"{name} 第 {number} 行：引号不成对") from None
    if len(values) != len(COLUMNS):
        raise RuleError(
            "row", f"{name} 第 {number} 行：应有 {len(COLUMNS)} 列，实有 {len(values)} 列"
        )
    role, dept, objects, actions, *rest = values
    every = actions == "*" and rest[-2] == "deny"
    for obj in objects.split("|"):
        for act in ACTS if every else actions.split("|"):
            yield Rule(role, dept, obj, act, *rest)
