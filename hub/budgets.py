"""What departments allow the hub to ask of their systems, kept by all workers together.

A source whose catalogue file sets `rate` or `quota` is asked only after the store has counted the
call. If the store is away nothing can be counted, and the source is not asked: a quota that is
overdrawn is a promise broken, and without its store the hub answers nobody anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from adapters.resilience import Reason, Unpaid
from catalog.datasets import SourceSpec
from store.budgets import Budgets, Crowded, Limits, Spent


class SourceBudget:
    """The limits of one source; a Budget of the adapters. `sleep` waits for a moment to come."""

    def __init__(
        self,
        spec: SourceSpec,
        budgets: Budgets,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name, self._limits = spec.name, Limits(spec.rate, spec.quota)
        self._budgets, self._sleep = budgets, sleep

    async def take(self, until: float) -> None:
        """Count one call and wait for its moment. Unpaid: QUOTA, BUSY, or DOWN for the store."""
        left_s = until - asyncio.get_running_loop().time()
        try:
            wait_s = await self._budgets.take(self._name, self._limits, within_s=left_s)
        except Spent:
            raise Unpaid(Reason.QUOTA) from None
        except Crowded:
            raise Unpaid(Reason.BUSY) from None
        except (SQLAlchemyError, OSError):
            raise Unpaid(Reason.DOWN) from None
        if wait_s > 0:
            await self._sleep(wait_s)


def budget_of(spec: SourceSpec, budgets: Budgets) -> SourceBudget | None:
    """None for a source that sets no limits: its calls cost nothing."""
    return SourceBudget(spec, budgets) if spec.limited else None
