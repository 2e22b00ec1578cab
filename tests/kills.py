"""How many processes are killed: a daily dozen, or a night's worth.

``HUB_TEST_KILLS=200`` asks for so many on each database. Each test has its share.
"""

from __future__ import annotations

import os

DAILY = 12
KILLS = int(os.environ.get("HUB_TEST_KILLS", DAILY))


def share(daily: int) -> int:
    """A test's number of kills, from that of a daily run."""
    return max(1, daily * KILLS // DAILY)
