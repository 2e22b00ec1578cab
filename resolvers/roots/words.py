"""Divisions, departments and the catalogue: open words, read like any other data."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Given, Root, equals, given, place


def household(args: Args) -> Root:
    """One household by its global id."""
    return Root("household", Mode.KEY, equals(args, "id", "id"))


def division(args: Args) -> Root:
    """One division by its canonical code."""
    return Root("division", Mode.KEY, (Given("x__path", "eq", ("code",), place),))


def divisions(args: Args) -> Root:
    """Divisions of a level, of a parent, or all."""
    parent: tuple[Given, ...] = ()
    if given(args, "parent"):
        parent = (Given("x__parent_path", "eq", ("parent",), place),)
    return Root("division", Mode.LIST, (*equals(args, "level", "level"), *parent))


def department(args: Args) -> Root:
    """One department by its code."""
    return Root("department", Mode.KEY, equals(args, "code", "code"))


def departments(_args: Args) -> Root:
    """All departments."""
    return Root("department", Mode.LIST)


def dataset(args: Args) -> Root:
    """One catalogue entry."""
    return Root("dataset", Mode.KEY, equals(args, "name", "name"))


def datasets(args: Args) -> Root:
    """Catalogue entries, of one provider or all."""
    return Root("dataset", Mode.LIST, equals(args, "x__provider", "provider"))


def sources(_args: Args) -> Root:
    """How the sources stand."""
    return Root("source_system", Mode.LIST)
