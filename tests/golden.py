"""Golden files: what a test is told stands beside it, letter for letter.

``HUB_TEST_GOLDEN=write`` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

WRITE = os.environ.get("HUB_TEST_GOLDEN") == "write"


def same(file: Path, text: str) -> None:
    """The text is the file's."""
    if WRITE:
        file.write_text(text, encoding="utf-8", newline="")
    assert text == file.read_bytes().decode()
