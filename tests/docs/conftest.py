"""The documentation as text, and a demonstration folder in which its commands run as written."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.load import Catalog, load
from hub.demo.site import FOLDER, Site, prepared
from tests.sites import copied

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Page:
    """One Markdown file: its fenced blocks, and its text without them."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        return _BLOCK.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        return [body for kind, body in _BLOCK.findall(self.text) if kind == language]

    def headings(self, level: int) -> list[str]:
        found = _HEADING.findall(self.prose)
        return [text for marks, text in found if len(marks) == level]

    def section(self, heading: str) -> str:
        """The text below a heading up to the next one of any level."""
        _, found, below = self.prose.partition(f"# {heading}\n")
        assert found, f"{self.path.name} has no heading {heading!r}"
        return re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0]

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the table below a heading, without its head."""
        lines = [ln for ln in self.section(heading).splitlines() if ln.startswith("|")]
        return [[cell.strip() for cell in ln.strip("|").split("|")] for ln in lines[2:]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def page() -> Callable[[str], Page]:
    """A page by its path from the checkout's root."""
    return lambda name: Page(ROOT / name)


@pytest.fixture(scope="session")
def pages() -> list[Page]:
    """Every page of the project."""
    found = [*ROOT.glob("*.md"), *(ROOT / "catalog").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Page(path) for path in sorted(found)]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="session")
def desk(pristine: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the checkout after ``make demo``: .venv, examples, demo-data."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    copied(pristine, folder / FOLDER)
    return folder


@pytest.fixture(scope="session")
def site(desk: Path) -> Site:
    """The demonstration of the desk."""
    return asyncio.run(prepared(desk / FOLDER, 0.01, lambda _what, _part: None))


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command line of a page, in a folder, with no setting but those it names."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean.get('PATH', '')}"

    def called(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=clean | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return called
