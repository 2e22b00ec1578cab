"""``make mutation``: plants every fault of `mutants.py` and counts those a test notices.

Each fault is planted in a copy of the package `authz`, which a process of its own puts before
the checkout and asks a chosen few test files about; the checkout is never changed. Processes
are forked from one that has read the libraries already, so that a fault costs what its tests
cost.

    python -m tests.mutation [--only MODULE] [--every N [--first K]]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
DEMANDED = 0.95
UNASKED, NO_TEST = 99, 5  # codes that say nothing about a fault
LIMIT_S = 180.0  # a fault that makes a test wait for ever counts as noticed
WORKERS = 2
POLICIES = "100"  # of the random ones; a fault shows in few
TESTS = {
    "match": ("match", "engine", "book", "laws", "scenarios"),
    "scope": ("scope", "book", "laws", "lens"),
    "lens": ("lens", "gate", "laws", "mask"),
}
"""Modules that decide who sees what -> files of tests/authz that are asked about them."""
READ_FIRST = ("sqlalchemy.ext.asyncio", "casbin", "catalog.load", "store.tables")
"""Everything dear to import that does not import `authz` itself."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault and the module it is in."""

    module: str
    mutant: Mutant

    def __str__(self) -> str:
        return f"authz/{self.module}.py:{self.mutant}"


def faults(only: str | None, every: int = 1, first: int = 0) -> list[Planted]:
    """All faults, or those of one module, or one in so many from the first named."""
    found = [
        Planted(module, mutant)
        for module in TESTS
        if only in (None, module)
        for mutant in mutants((ROOT / "authz" / f"{module}.py").read_text(encoding="utf-8"))
    ]
    return found[first::every]


def noticed(module: str, text: str | None) -> int:
    """pytest's exit code over the package with `text` for the module; None: as it is."""
    with tempfile.TemporaryDirectory(prefix="hub-mutation-") as folder:
        package = Path(folder) / "authz"
        shutil.copytree(ROOT / "authz", package, ignore=shutil.ignore_patterns("__pycache__"))
        if text is not None:
            (package / f"{module}.py").write_text(text, encoding="utf-8")
        sys.path.insert(0, folder)
        os.environ["HUB_TEST_POLICIES"] = POLICIES
        return _asked(TESTS[module])


def _asked(names: Sequence[str]) -> int:
    import pytest

    files = [f"tests/authz/test_{name}.py" for name in names]
    options = ["-x", "-q", "--no-header", "-m", "not postgres", "-p", "no:xdist"]
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        return int(pytest.main([*options, *files]))


def _child(module: str, text: str | None) -> None:
    """Ends with pytest's code, or with UNASKED if what was asked was not the faulty package."""
    os.chdir(ROOT)
    try:
        code = noticed(module, text)
    except BaseException:
        traceback.print_exc()
        code = UNASKED
    asked = sys.modules.get("authz.scope")
    ours = asked is not None and Path(str(asked.__file__)).is_relative_to(ROOT)
    os._exit(UNASKED if ours else code)


def started(planted: Planted) -> BaseProcess:
    """A process that asks about one fault."""
    child = multiprocessing.get_context("fork").Process(
        target=_child, args=(planted.module, planted.mutant.text), daemon=True
    )
    child.start()
    return child


def judged(found: Sequence[Planted]) -> Iterator[tuple[Planted, bool]]:
    """Each fault, and whether a test failed or did not end."""
    waiting, running = list(reversed(found)), dict[Planted, tuple[BaseProcess, float]]()
    while waiting or running:
        while waiting and len(running) < WORKERS:
            planted = waiting.pop()
            running[planted] = (started(planted), time.monotonic())
        time.sleep(0.02)
        for planted, (child, since) in list(running.items()):
            late = time.monotonic() - since > LIMIT_S
            if child.is_alive() and not late:
                continue
            if late:
                child.kill()
            child.join()
            del running[planted]
            if child.exitcode in (UNASKED, NO_TEST):
                raise SystemExit(f"{planted}: the tests could not be run ({child.exitcode})")
            yield planted, child.exitcode != 0


def sound() -> None:
    """Without a fault the tests pass; else everything would look noticed."""
    for module in TESTS:
        whole = (ROOT / "authz" / f"{module}.py").read_text(encoding="utf-8")
        child = started(Planted(module, Mutant(0, "", "", whole)))
        child.join()
        if child.exitcode != 0:
            raise SystemExit(f"{module}: the tests fail without any fault ({child.exitcode})")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if as many faults are noticed as are demanded."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--only", choices=list(TESTS))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one fault in N")
    parser.add_argument("--first", type=int, default=0, metavar="K", help="beginning with K")
    given = parser.parse_args(arguments)
    for name in READ_FIRST:
        importlib.import_module(name)
    sound()
    begun, counts = time.monotonic(), dict[str, list[int]]()
    for planted, seen in judged(faults(given.only, given.every, given.first)):
        count = counts.setdefault(planted.module, [0, 0])
        count[0], count[1] = count[0] + seen, count[1] + 1
        if not seen:
            sys.stdout.write(f"survived  {planted}\n")
            sys.stdout.flush()
    for module, (killed, total) in counts.items():
        sys.stdout.write(f"authz/{module}.py  {killed} of {total} noticed\n")
    killed, total = (sum(c[i] for c in counts.values()) for i in (0, 1))
    minutes = (time.monotonic() - begun) / 60
    sys.stdout.write(f"{killed} of {total}: {killed / total:.1%} in {minutes:.0f} minutes\n")
    return 0 if killed >= DEMANDED * total else 1


if __name__ == "__main__":
    raise SystemExit(main())
