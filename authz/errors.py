"""Faults of the policy itself: they stop a load, never a request."""

from __future__ import annotations

from catalog.errors import Readable


class RuleError(Readable):
    """`column` of the rule at fault and what to do, in Chinese; never a personal value."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(f"{column}：{message}")
        self.column, self.message = column, message


class ModelChanged(Readable):
    """model.conf is not the text this program was reviewed with."""
