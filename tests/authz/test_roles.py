"""Roles and posts: inheritance is flat and finite, a base fits its role."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.errors import RuleError
from authz.roles import Filer, expand, pairs, parents_of, post, read_roles, roles
from catalog.errors import CatalogError
from catalog.load import load
from catalog.table import Table

PARENTS = parents_of(pairs(roles()))


def test_a_town_clerk_inherits_village_helper_and_staff() -> None:
    assert expand("town", PARENTS) == {"town", "village", "helper", "staff"}


def test_a_department_does_not_inherit_the_town() -> None:
    assert expand("lead", PARENTS) == {"lead", "dept", "staff"}


def test_who_files_about_a_post_and_where_it_exists() -> None:
    """The three duties, systems and portals are not given by a change of an account (第六条)."""
    filed = {role.code: role.filed_by for role in roles().values() if role.filed_by is not None}
    own, office = Filer.ORGANIZATION, Filer.OFFICE
    assert filed == {
        **dict.fromkeys(("helper", "village", "town", "dept", "lead"), own),
        **dict.fromkeys(("office", "authority", "account_admin"), office),
    }
    bound = {role.code for role in roles().values() if role.depts == ("rev",)}
    assert bound == {"helper", "village", "town", "office", "authority"}
    named = {dept for role in roles().values() for dept in role.depts}
    assert named <= load().departments.keys()


def test_a_filer_nobody_knows_is_refused() -> None:
    table = Table("roles.toml", "", {"x": {"title": "x", "filed_by": "MAYOR"}})
    with pytest.raises(CatalogError, match="`MAYOR` is unknown: use one of ORGANIZATION OFFICE"):
        read_roles(table)


def test_the_three_separate_duties_inherit_nothing() -> None:
    exclusive = {role.code for role in roles().values() if role.exclusive}
    assert exclusive == {"secadmin", "auditor", "sysadmin"}
    assert all(expand(role, PARENTS) == {role} for role in exclusive)


@pytest.mark.parametrize(
    ("role", "base"),
    [
        ("village", "532622105"),
        ("town", "532622"),
        ("office", "532622105"),
        ("town", "532622105000"),
        ("staff", "532622"),
        ("mayor", "532622"),
    ],
)
def test_a_post_that_cannot_be_is_refused(role: str, base: str) -> None:
    with pytest.raises(RuleError):
        post("mca", role, base, PARENTS)


def test_a_post_carries_its_roles() -> None:
    assert post("mca", "dept", "532622", PARENTS).roles == {"dept", "staff"}


def test_a_ring_is_refused() -> None:
    with pytest.raises(RuleError, match="成环"):
        parents_of([("town", "village"), ("village", "town")])


def test_a_parent_nobody_knows_is_refused() -> None:
    with pytest.raises(RuleError, match="mayor"):
        parents_of([("town", "mayor")])


@pytest.mark.parametrize(
    "data",
    [
        {"x": {"title": "甲", "bases": ["CITY"]}},
        {"x": {"title": "甲", "colour": "red"}},
        {"x": {}},
    ],
)
def test_a_wrong_word_in_the_file_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(CatalogError):
        read_roles(Table("roles.toml", "", data))


def test_every_role_has_a_chinese_title() -> None:
    assert all(not role.title.isascii() for role in roles().values())
    assert (Path(__file__).parents[2] / "authz" / "roles.toml").exists()
