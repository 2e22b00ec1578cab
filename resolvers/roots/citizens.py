"""``citizen`` by id or id number, ``citizens`` of a division."""

from __future__ import annotations

from typing import Any

from adapters.identity import canonical, is_synthetic
from authz.lens import Mode
from catalog.errors import BadUserInput
from resolvers.roots.root import Args, Given, Root, Words, equals, given, within

ID_NUMBER = ("by", "idNumber")


def id_number(text: Any, words: Words) -> str:
    """Canonical 18 digits; BadUserInput without echoing the number (GB 11643)."""
    found = canonical(str(text))
    if found.id18 is None or (is_synthetic(found.id18) and not words.synthetic):
        raise BadUserInput("证件号码不正确：请核对位数、出生日期与校验码", reason="ID_NUMBER")
    return found.id18


def citizen(args: Args) -> Root:
    """By global id (read) or by id number (lookup): two different rights."""
    if given(args, *ID_NUMBER):
        condition = Given("x__id18", "eq", ID_NUMBER, id_number)
        return Root("citizen", Mode.LOOKUP, (condition,), identifier="idNumber")
    return Root("citizen", Mode.KEY, equals(args, "id", "by", "id"))


def citizens(args: Args) -> Root:
    """A list: needs `list`, not only `read`."""
    return Root("citizen", Mode.LIST, within(args, "division"))
