"""``case`` by number, ``cases`` and ``supervisionOrders`` by filter; what is subscribed to."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import (
    CHANGED,
    Args,
    Given,
    Root,
    as_is,
    equals,
    given,
    moment,
    within,
)


def case(args: Args) -> Root:
    """One case by its number."""
    return Root("case", Mode.KEY, equals(args, "caseNo", "caseNo"))


def cases(args: Args) -> Root:
    """Cases by state, item, department, overdue and division."""
    return Root("case", Mode.LIST, matching(args))


def matching(args: Args) -> tuple[Given, ...]:
    """The conditions of a ``CaseFilter``."""
    return (
        *equals(args, "state", "filter", "state"),
        *equals(args, "item", "filter", "item"),
        *equals(args, "overdue", "filter", "overdue"),
        *equals(args, "x__handling_dept", "filter", "department"),
        *within(args, "filter", "division"),
    )


def supervision_order(args: Args) -> Root:
    """One order by its number."""
    return Root("supervision_order", Mode.KEY, equals(args, "orderNo", "orderNo"))


def supervision_orders(args: Args) -> Root:
    """Orders by state, kind and division."""
    return Root(
        "supervision_order",
        Mode.LIST,
        (
            *equals(args, "state", "filter", "state"),
            *equals(args, "kind", "filter", "kind"),
            *within(args, "filter", "division"),
        ),
    )


def work_orders(args: Args) -> Root:
    """Work orders by node, open or not, late or not, due between two moments, and division."""
    return Root(
        "work_order",
        Mode.LIST,
        (
            *equals(args, "node", "filter", "node"),
            *equals(args, "open", "filter", "open"),
            *equals(args, "late", "filter", "late"),
            *_moment(args, "ge", "dueAt", "filter", "dueFrom"),
            *_moment(args, "lt", "dueAt", "filter", "dueBefore"),
            *within(args, "filter", "division"),
        ),
    )


def timeouts(args: Args) -> Root:
    """What was overdue, by node and division."""
    return Root(
        "timeout_event",
        Mode.LIST,
        (*equals(args, "node", "filter", "node"), *within(args, "filter", "division")),
    )


def _moment(args: Args, op: str, column: str, *path: str) -> tuple[Given, ...]:
    return (Given(column, op, path, moment),) if given(args, *path) else ()


def case_events(args: Args) -> Root:
    """The event that was added, if the asker may list it and it lies in the area."""
    return Root("case_event", Mode.LIST, _changed(args))


def supervision_events(args: Args) -> Root:
    """The order that is new or has changed, likewise."""
    return Root("supervision_order", Mode.LIST, _changed(args))


def _changed(args: Args) -> tuple[Given, ...]:
    """The changed row. Who is told of any such row enumerates: that needs the right to list."""
    return (Given("id", "eq", (CHANGED,), as_is), *within(args, "area"))
