"""Where the bench keeps what it made or installed: all of it below ``.cache/bench``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "bench"


def digest(patterns: Iterable[str]) -> str:
    """Twelve hex digits that change with the content of the checkout's files of `patterns`."""
    total = hashlib.sha256()
    for pattern in patterns:
        for file in sorted(ROOT.glob(pattern)):
            total.update(file.relative_to(ROOT).as_posix().encode())
            total.update(file.read_bytes())
    return total.hexdigest()[:12]
