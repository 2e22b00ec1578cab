"""How many of something each account holds at once, in this worker.

Not counted over all workers: what is protected is the memory of one process, and a count that
outlives a process that was killed would keep its account out.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from catalog.errors import RateLimited


class Seats:
    """At most `most` of `what` (in Chinese, for the asker) an account."""

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what = most, what
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def taken(self, principal_id: str) -> Iterator[None]:
        """Hold one more for a while; RateLimited CONCURRENCY if it would be one too many."""
        if self._held[principal_id] >= self._most:
            raise RateLimited(
                f"{self._what}过多：每个账号同时最多 {self._most} 个，请先关闭不用的",
                reason="CONCURRENCY",
            )
        self._held[principal_id] += 1
        try:
            yield
        finally:
            self._held[principal_id] -= 1
            if not self._held[principal_id]:
                del self._held[principal_id]

    @property
    def held(self) -> int:
        """How many are held by all accounts."""
        return self._held.total()
