"""Roles: what a post may be called, what it inherits, where it may be based."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from authz.errors import RuleError
from authz.post import Post
from catalog.divisions import Level, is_region_path
from catalog.table import Table, read_toml

MAX_DEPTH = 4  # deeper chains were misread by their own authors
_LEVELS = {6: Level.COUNTY, 9: Level.TOWNSHIP, 12: Level.VILLAGE}


class Filer(StrEnum):
    """Who files that somebody is given a post, or leaves it (第六条)."""

    ORGANIZATION = "ORGANIZATION"
    OFFICE = "OFFICE"


@dataclass(frozen=True, slots=True)
class Role:
    """`parents` inherited; `bases` levels of the base region; `exclusive` 三员分立.

    `filed_by`: who files account changes of this role, None if its posts are not given that way.
    `depts`: the departments it exists in, empty for any.
    `program`: no post has it, a program of the hub's own asks by it.
    """

    code: str
    title: str
    parents: tuple[str, ...]
    bases: tuple[Level, ...]
    exclusive: bool
    demo: bool
    filed_by: Filer | None = None
    depts: tuple[str, ...] = ()
    program: bool = False


def read_roles(table: Table) -> dict[str, Role]:
    """``roles.toml``; CatalogError for a wrong key, RuleError for a wrong chain."""
    found = {code: _role(code, sub) for code, sub in table.tables()}
    for code in found:
        expand(code, {role.code: role.parents for role in found.values()})
    return found


@cache
def roles() -> Mapping[str, Role]:
    """The shipped roles."""
    return read_roles(read_toml(Path(__file__).parent / "roles.toml"))


def _role(code: str, table: Table) -> Role:
    levels = {level.value: level for level in Level}
    bases = table.texts("bases")
    unknown = [base for base in bases if base not in levels]
    if unknown:
        raise table.fail("bases", f"`{unknown[0]}` is unknown: use one of {' '.join(levels)}")
    filers = {filer.value: filer for filer in Filer}
    filed_by = table.optional("filed_by")
    if filed_by is not None and filed_by not in filers:
        raise table.fail("filed_by", f"`{filed_by}` is unknown: use one of {' '.join(filers)}")
    role = Role(
        code,
        table.text("title"),
        table.texts("parents"),
        tuple(levels[base] for base in bases),
        table.flag("exclusive", False),
        table.flag("demo", False),
        None if filed_by is None else filers[filed_by],
        table.texts("depts"),
        table.flag("program", False),
    )
    table.done()
    return role


def pairs(known: Mapping[str, Role]) -> tuple[tuple[str, str], ...]:
    """(role, parent), as the table role_parent holds them."""
    return tuple((role.code, parent) for role in known.values() for parent in role.parents)


def parents_of(links: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """role -> parents; RuleError for a role nobody knows or a chain that is a ring."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(roles(), ())
    for role, parent in links:
        for name in (role, parent):
            if name not in found:
                raise RuleError("role", f"角色 `{name}` 不存在：请改用 roles.toml 中的角色")
        found[role] = (*found[role], parent)
    for role in found:
        expand(role, found)
    return found


def expand(role: str, parents: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The role and everything it inherits; RuleError beyond MAX_DEPTH or in a ring."""
    found, level = {role}, {role}
    for _ in range(MAX_DEPTH):
        level = {parent for child in level for parent in parents.get(child, ())}
        if not level:
            return frozenset(found)
        found |= level
    raise RuleError("role", f"角色 `{role}` 的继承超过 {MAX_DEPTH} 层或成环：请改为扁平的角色")


def post(dept: str, role: str, base: str, parents: Mapping[str, tuple[str, ...]]) -> Post:
    """A checked post; RuleError for an unknown role, a malformed or misplaced base."""
    known = roles().get(role)
    if known is None:
        raise RuleError("role", f"角色 `{role}` 不存在：请改用 roles.toml 中的角色")
    if not is_region_path(base) or _LEVELS[len(base)] not in known.bases:
        raise RuleError("base", f"辖区 `{base}` 不适用于角色 `{role}`：请按角色的层级填写")
    return Post(dept, role, base, expand(role, parents))
