"""Every table module, imported once so that ``metadata`` is complete.

For migrations and the drift check; nothing else needs all tables at once.
"""

from __future__ import annotations

from store import (
    account_changes,
    accounts,
    archive,
    audit,
    budgets,
    bulletins,
    cases,
    changes,
    clients,
    comparisons,
    complaints,
    corrections,
    deeds,
    derived,
    documents,
    grants,
    jobs,
    lookups,
    outages,
    policy,
    prints,
    rates,
    register,
    sessions,
    sharing_requests,
    spot_checks,
    staffing,
    supervision,
    tallies,
    words,
    work_orders,
)
from store.metadata import metadata

__all__ = [
    "FROZEN",
    "account_changes",
    "accounts",
    "archive",
    "audit",
    "budgets",
    "bulletins",
    "cases",
    "changes",
    "clients",
    "comparisons",
    "complaints",
    "corrections",
    "deeds",
    "derived",
    "documents",
    "grants",
    "jobs",
    "lookups",
    "metadata",
    "outages",
    "policy",
    "prints",
    "rates",
    "register",
    "sessions",
    "sharing_requests",
    "spot_checks",
    "staffing",
    "supervision",
    "tallies",
    "words",
    "work_orders",
]

FROZEN = (
    *(archive.FROZEN, audit.FROZEN, bulletins.FROZEN, changes.TRIGGERS),
    *(work_orders.FROZEN, prints.FROZEN),
    *(complaints.FROZEN, spot_checks.FROZEN, corrections.FROZEN, comparisons.FROZEN),
    *(sharing_requests.FROZEN, account_changes.FROZEN),
)
"""Triggers that metadata does not know: rows are never changed, or a change of them is noted."""
