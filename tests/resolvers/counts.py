"""How many documents the comparisons make: a daily handful, or a night's worth.

``HUB_TEST_DOCUMENTS=20000`` asks for so many in all. Each comparison has its share. By day the
documents are the same in every run; a longer run draws new ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

DAILY = 500
DOCUMENTS = int(os.environ.get("HUB_TEST_DOCUMENTS", DAILY))
SEEDS = st.integers(0, 2**32 - 1)


def share(daily: int) -> int:
    """A comparison's number of documents, from that of a daily run."""
    return max(1, daily * DOCUMENTS // DAILY)


def each_seed(daily: int, check: Callable[[int], None]) -> int:
    """Call `check` with a seed per document; how many there were.

    A seed that fails is not shrunk: a smaller number is no smaller document.
    """
    count = share(daily)
    profile = settings(
        max_examples=count,
        derandomize=count <= daily,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @profile
    @given(SEEDS)
    def one(seed: int) -> None:
        check(seed)

    one()
    return count
