"""``accountChange`` by number, ``accountChanges``, ``trainingRecords`` and ``staffingGaps``."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Given, Root, equals, within


def account_change(args: Args) -> Root:
    """One change by its number."""
    return Root("account_change", Mode.KEY, equals(args, "changeNo", "changeNo"))


def account_changes(args: Args) -> Root:
    """Changes by kind, state, account, department and division."""
    kinds = equals(args, "kind", "filter", "kind")
    state = equals(args, "state", "filter", "state")
    return Root("account_change", Mode.LIST, (*kinds, *state, *_account(args), *_place(args)))


def training_records(args: Args) -> Root:
    """Trainings by account, department and division."""
    return Root("training_record", Mode.LIST, (*_account(args), *_place(args)))


def staffing_gaps(args: Args) -> Root:
    """Stations that are short, by level, department and division."""
    level = equals(args, "level", "filter", "level")
    return Root("staffing_gap", Mode.LIST, (*level, *_place(args)))


def _account(args: Args) -> tuple[Given, ...]:
    return equals(args, "account", "filter", "account")


def _place(args: Args) -> tuple[Given, ...]:
    return (
        *equals(args, "x__department", "filter", "department"),
        *within(args, "filter", "division"),
    )
