"""``comparisonRuns`` and ``riskClues``: what comparisons have found."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Root, equals, within


def comparison_runs(args: Args) -> Root:
    """Runs by rule, state and month."""
    return Root(
        "comparison_run",
        Mode.LIST,
        (
            *equals(args, "rule", "filter", "rule"),
            *equals(args, "state", "filter", "state"),
            *equals(args, "period", "filter", "period"),
        ),
    )


def risk_clue(args: Args) -> Root:
    """One clue by its number."""
    return Root("risk_clue", Mode.KEY, equals(args, "clueNo", "clueNo"))


def risk_clues(args: Args) -> Root:
    """Clues by rule, state, tier and division."""
    return Root(
        "risk_clue",
        Mode.LIST,
        (
            *equals(args, "rule", "filter", "rule"),
            *equals(args, "state", "filter", "state"),
            *equals(args, "tier", "filter", "tier"),
            *within(args, "filter", "division"),
        ),
    )
