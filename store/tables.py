"""Every table module, imported once so that ``metadata`` is complete.

For migrations and the drift check; nothing else needs all tables at once.
"""

from __future__ import annotations

from store import (
    accounts,
    archive,
    audit,
    budgets,
    bulletins,
    cases,
    changes,
    clients,
    derived,
    documents,
    grants,
    lookups,
    policy,
    rates,
    register,
    supervision,
    tallies,
    words,
)
from store.metadata import metadata

__all__ = [
    "FROZEN",
    "accounts",
    "archive",
    "audit",
    "budgets",
    "bulletins",
    "cases",
    "changes",
    "clients",
    "derived",
    "documents",
    "grants",
    "lookups",
    "metadata",
    "policy",
    "rates",
    "register",
    "supervision",
    "tallies",
    "words",
]

FROZEN = (archive.FROZEN, audit.FROZEN, bulletins.FROZEN, changes.TRIGGERS)
"""Triggers that metadata does not know: rows are never changed, or a change of them is noted."""
