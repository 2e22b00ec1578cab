"""``auditEvents``: the access log for the security officer; this reading is recorded too."""

from __future__ import annotations

from authz.lens import Mode
from resolvers.roots.root import Args, Root, equals


def audit_events(args: Args) -> Root:
    """Events by account, kind, outcome and purpose."""
    return Root(
        "audit_event",
        Mode.LIST,
        (
            *equals(args, "actor", "filter", "actor"),
            *equals(args, "kind", "filter", "kind"),
            *equals(args, "outcome", "filter", "outcome"),
            *equals(args, "purpose", "filter", "purpose"),
        ),
    )
