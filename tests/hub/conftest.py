"""The program as a user starts it, and the smallest demonstration it makes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from hub.cli import main
from hub.demo.site import Site
from tests.sites import copied

PROGRAM = Path(sys.executable).parent / "hub"
SAMPLE = Path(__file__).parents[2] / "examples" / "township_clerk.graphql"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a verb ended: exit code and what it wrote where."""

    code: int
    out: str
    err: str


Hub = Callable[..., Ran]


def plain() -> dict[str, str]:
    """Our environment without its HUB_*."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}


def run(*words: object, cwd: Path, **settings: str) -> Ran:
    """``hub WORDS`` as a process of its own in a folder, piped."""
    ran = subprocess.run(
        [PROGRAM, *map(str, words)],
        cwd=cwd,
        env=plain() | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def process(tmp_path: Path) -> Hub:
    """``process("db", "status", HUB_DATA_DIR=…)``: the console script, in an empty folder."""

    def start(*words: object, cwd: Path = tmp_path, **settings: str) -> Ran:
        return run(*words, cwd=cwd, **settings)

    return start


@pytest.fixture
def hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Hub]:
    """The same entry point without a new interpreter, which takes a second or two."""
    handlers, level = logging.root.handlers[:], logging.root.level

    def start(*words: object, **settings: str) -> Ran:
        with monkeypatch.context() as now:
            for name in [name for name in os.environ if name.startswith("HUB_")]:
                now.delenv(name)
            for name, value in settings.items():
                now.setenv(name, value)
            now.chdir(tmp_path)
            now.setattr(sys, "argv", ["hub", *map(str, words)])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return Ran(int(ended.value.code or 0), said.out, said.err)

    yield start
    # A verb sends the logs to the standard error of its own time.
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A new demonstration folder, and how the question that made it was answered."""
    home = tmp_path_factory.mktemp("demo")
    words = ("demo", "--dir", "county", "--once", SAMPLE, "--as", "zhelai-town-01")
    return home / "county", run(*words, cwd=home)


@pytest.fixture(scope="session")
def county(first: tuple[Path, Ran]) -> Path:
    """The demonstration folder."""
    assert first[1].code == 0
    return first[0]


@pytest.fixture(scope="module")
def site(pristine: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The county at its smallest, for one file of tests."""
    return copied(pristine, tmp_path_factory.mktemp("site") / "site")


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """What production must say for itself, in HUB_* variables; the store is SQLite."""
    return {
        "HUB_DATA_DIR": str(tmp_path),
        "HUB_STORE_URL": f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}",
        "HUB_ISSUER": "https://issuer.invalid",
    }
