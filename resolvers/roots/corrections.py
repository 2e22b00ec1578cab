"""``correction`` by number, ``corrections`` by filter, ``correctionReaders`` whole."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Root, equals, within


def correction(args: Args) -> Root:
    """One correction by its number."""
    return Root("correction", Mode.KEY, equals(args, "correctionNo", "correctionNo"))


def corrections(args: Args) -> Root:
    """Corrections by state, provider and division."""
    return Root(
        "correction",
        Mode.LIST,
        (
            *equals(args, "state", "filter", "state"),
            *equals(args, "x__provider", "filter", "provider"),
            *within(args, "filter", "division"),
        ),
    )


def correction_readers(_args: Args) -> Root:
    """Who was told, of the asker's own department or area."""
    return Root("correction_reader", Mode.LIST)
