"""How often an account may look persons up, whoever serves it.

Counted are look-ups by a number the asker must already have (id number): each alias and each
one of several in an operation. Finding nobody is counted apart, so that numbers cannot be tried
out. A right to the row is no way round: by key and by list nobody is looked up.
"""

from __future__ import annotations

from typing import Protocol

from catalog.errors import Forbidden


class Lookups(Protocol):
    """Where look-ups are counted (the store's)."""

    async def take(self, principal_id: str, count: int) -> bool:
        """Count look-ups about to be made; False, and nothing counted, if they are too many."""

    async def missed(self, principal_id: str, count: int) -> None:
        """Count look-ups that found nobody whom the account may see."""


async def taken(lookups: Lookups | None, principal_id: str, count: int) -> None:
    """Nothing if the look-ups may be made, else Forbidden QUOTA. None counts nothing."""
    if lookups is not None and count and not await lookups.take(principal_id, count):
        raise Forbidden(
            "查找次数已达上限，请稍后再试；确需批量核对请走数据共享申请",
            reason="QUOTA",
            retryable=True,
        )


async def counted(lookups: Lookups | None, principal_id: str, missed: int) -> None:
    """Tell of the look-ups that found nobody."""
    if lookups is not None and missed:
        await lookups.missed(principal_id, missed)
