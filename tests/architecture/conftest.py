"""The checkout as the tests of its shape see it."""

from __future__ import annotations

from pathlib import Path

import pytest

OURS = (
    "hub",
    "console",
    "schema",
    "resolvers",
    "authz",
    "adapters",
    "audit",
    "domain",
    "store",
    "catalog",
)


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ours() -> tuple[str, ...]:
    """Our top-level packages."""
    return OURS


@pytest.fixture(scope="session")
def sources(root: Path) -> dict[str, str]:
    """The text of every module of our packages by its path, ``hub/app.py``."""
    files = [file for name in OURS for file in sorted((root / name).rglob("*.py"))]
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}
