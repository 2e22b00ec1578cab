"""``sharingRequest`` by number, ``sharingRequests`` and ``refusedOrUnanswered`` by filter."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Root, equals


def sharing_request(args: Args) -> Root:
    """One request by its number."""
    return Root("sharing_request", Mode.KEY, equals(args, "requestNo", "requestNo"))


def sharing_requests(args: Args) -> Root:
    """Requests by state, either department and overdue."""
    return Root(
        "sharing_request",
        Mode.LIST,
        (
            *equals(args, "state", "filter", "state"),
            *equals(args, "x__requester", "filter", "requester"),
            *equals(args, "x__provider", "filter", "provider"),
            *equals(args, "overdue", "filter", "overdue"),
        ),
    )


def refused_or_unanswered(args: Args) -> Root:
    """The list of 第二十一条第三项 by reason, providing department, open or not."""
    return Root(
        "sharing_fault",
        Mode.LIST,
        (
            *equals(args, "reason", "filter", "reason"),
            *equals(args, "x__provider", "filter", "provider"),
            *equals(args, "open", "filter", "open"),
        ),
    )
