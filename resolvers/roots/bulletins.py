"""``bulletin(s)``, ``bulletinFigures`` and ``rankings``: what was frozen, by period and group."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Root, equals


def bulletin(args: Args) -> Root:
    """One month's, if it is frozen."""
    return Root("monthly_bulletin", Mode.KEY, equals(args, "month", "month"))


def bulletins(_args: Args) -> Root:
    """All months that are frozen."""
    return Root("monthly_bulletin", Mode.LIST)


def bulletin_figures(args: Args) -> Root:
    """Figures by month, kind of group, group and figure."""
    return Root(
        "bulletin_figure",
        Mode.LIST,
        (
            *equals(args, "month", "filter", "month"),
            *equals(args, "kind", "filter", "kind"),
            *equals(args, "code", "filter", "code"),
            *equals(args, "figure", "filter", "figure"),
        ),
    )


def rankings(args: Args) -> Root:
    """Places by quarter, kind of group and list."""
    return Root(
        "ranking_place",
        Mode.LIST,
        (
            *equals(args, "quarter", "filter", "quarter"),
            *equals(args, "kind", "filter", "kind"),
            *equals(args, "list", "filter", "list"),
        ),
    )
