"""``caseStats``, ``caseCounts``: cases counted in groups, and what each dimension groups by."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.contract import EXTRA, REGION, Bucket, GroupKey
from authz.lens import Mode
from resolvers.plan import Grouping
from resolvers.roots.cases import matching
from resolvers.roots.root import Args, Root, within

DIMENSIONS: Mapping[str, GroupKey] = {
    "MONTH": GroupKey("month", "filedAt", Bucket.MONTH),
    "TOWNSHIP": GroupKey("division", REGION, Bucket.TOWNSHIP),
    "VILLAGE": GroupKey("division", REGION, Bucket.VILLAGE),
    "ITEM": GroupKey("item", "item", Bucket.VALUE),
    "DEPARTMENT": GroupKey("department", EXTRA + "handling_dept", Bucket.VALUE),
    "STATE": GroupKey("state", "state", Bucket.VALUE),
    "OVERDUE": GroupKey("overdue", "overdue", Bucket.VALUE),
}
"""``CaseDimension`` -> the field of ``CaseStat`` and the column of the data set `case`.

Region and owner are no columns of the catalogue: whoever is shown a row knows both.
"""


def case_stats(args: Args) -> Root:
    """Groups of the cases that match the filter of `cases`."""
    by = tuple(str(dimension.value) for dimension in args["by"])
    group = Grouping("CaseDimension", by, DIMENSIONS)
    return Root("case", Mode.COUNT, matching(args), group=group)


def case_counts(args: Args) -> Root:
    """The cases of an area by state; told anew when they change."""
    group = Grouping("CaseDimension", ("STATE",), DIMENSIONS)
    return Root("case", Mode.COUNT, within(args, "area"), group=group)
