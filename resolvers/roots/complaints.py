"""``complaint`` by number, ``complaints`` by filter; ``spotChecks`` and ``spotCheckItems``."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Given, Root, equals, within


def complaint(args: Args) -> Root:
    """One complaint by its number."""
    return Root("complaint", Mode.KEY, equals(args, "complaintNo", "complaintNo"))


def complaints(args: Args) -> Root:
    """Complaints by kind, state, department, overdue and division."""
    return Root("complaint", Mode.LIST, (*equals(args, "kind", "filter", "kind"), *_matching(args)))


def spot_checks(_args: Args) -> Root:
    """Every draw."""
    return Root("spot_check", Mode.LIST)


def spot_check_items(args: Args) -> Root:
    """Items of every draw by state, department, overdue and division."""
    return Root("spot_check_item", Mode.LIST, _matching(args))


def _matching(args: Args) -> tuple[Given, ...]:
    return (
        *equals(args, "state", "filter", "state"),
        *equals(args, "overdue", "filter", "overdue"),
        *equals(args, "x__handling_dept", "filter", "department"),
        *within(args, "filter", "division"),
    )
