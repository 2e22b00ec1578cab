"""What stands on a print, for tests: its check code and its digest."""

from __future__ import annotations

import re


def code_on(page: str) -> str:
    """The check code."""
    found = re.search(r"校验码：<span class=\"code\">([^<]+)<", page)
    assert found is not None
    return found[1]


def sha256_on(page: str) -> str:
    """The digest as it stands on the paper, blanks and all."""
    found = re.search(r"SHA-256）：<span class=\"code\">([0-9a-f ]+)</span>", page)
    assert found is not None
    return found[1]
