"""Every table module, imported once so that ``metadata`` is complete.

For migrations and the drift check; nothing else needs all tables at once.
"""

from __future__ import annotations

from store import (
    accounts,
    archive,
    audit,
    budgets,
    cases,
    derived,
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
    "cases",
    "derived",
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

FROZEN = (archive.FROZEN, audit.FROZEN)
"""Whose rows are never changed: triggers that metadata does not know."""
