"""The departments' programs as real processes over the smallest county, and as modules."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from adapters.identity import with_check_digit
from hub.demo.county import County, build

FOLDER = Path(__file__).parents[2] / "examples" / "departments"
KEY = b"a county key of thirty-two bytes"
PATIENT_S = 60.0

Ask = Callable[..., list[dict[str, Any]]]
Serve = Callable[..., contextlib.AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> County:
    return build(tmp_path_factory.mktemp("county"), scale=0.01, key=KEY)


@pytest.fixture(scope="session")
def rows(county: County) -> Ask:
    """``rows("rs_jiuye", "SELECT …", value, …)``: what stands in a department's file."""

    def asked(source: str, statement: str, *values: object) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(county.source(source))) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    return asked


@pytest.fixture(scope="session")
def module() -> Iterator[Callable[[str], ModuleType]]:
    """``module("employment")``: a program's code, imported as it is when the program runs."""
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module
    sys.path.remove(str(FOLDER))


@contextlib.contextmanager
def started(program: str, db: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A department's own process and its address; it ends when its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, str(FOLDER / f"{program}.py"), "--db", str(db), "--watch-stdin", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), line
        yield process, line.removeprefix("ready ").strip()
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(PATIENT_S)
        process.stdout.close()


@pytest.fixture(scope="session")
def serve(county: County) -> Serve:
    """``with serve("employment", "rs_jiuye", "--per-second", "9") as client``."""

    @contextlib.contextmanager
    def opened(program: str, source: str, *options: str) -> Iterator[httpx.Client]:
        with (
            started(program, county.source(source), *options) as (_, address),
            httpx.Client(base_url=address, timeout=PATIENT_S, trust_env=False) as client,
        ):
            yield client

    return opened


@pytest.fixture(scope="session")
def nobody() -> str:
    """A valid number that nobody in the county has: born where the county's people are not."""
    return with_check_digit("53992219000101999")
