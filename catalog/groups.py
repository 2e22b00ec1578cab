"""What people call a group of a bulletin: a place, a department, an item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.bulletin import GroupKind

if TYPE_CHECKING:
    from catalog.load import Catalog

COUNTY = "532622000000"
"""As a township: what no township of the county has."""


def group_name(words: Catalog, kind: str, code: str) -> str:
    """The group's name; its code if the catalogue does not know it (any more)."""
    if kind == GroupKind.TOWNSHIP and code == COUNTY:
        return "县级"
    if kind in (GroupKind.COUNTY, GroupKind.TOWNSHIP):
        place = words.divisions.get(code)
        return code if place is None else place.name
    if kind == GroupKind.DEPARTMENT:
        return words.departments[code].short if code in words.departments else code
    return words.items[code].title if code in words.items else code
