"""The import contracts of pyproject.toml hold, and each of them can break."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "lint-imports"
VERDICT = re.compile(r"^(.+) (KEPT|BROKEN)$", re.MULTILINE)

DIRECTION = "down once, up once: imports point downwards, siblings do not know each other"
RESOLVERS = "inside resolvers: what is asked, then decided, fetched and written"
HUB = "inside hub: the verbs, the demonstration, the program that knows neither"
WITNESS = "the witness runs at another office: it reaches neither the store nor the engine"
KINDS = "kinds of source do not know each other"
CASBIN = "casbin only in authz"
STRAWBERRY = "strawberry only in schema"
GRAPHQL = "graphql only in schema and where resolvers reads documents and schema"
SQL = "sqlalchemy only in hub, authz, adapters, audit and store"
HTTPX = "httpx only in adapters and hub"
WEB = "the web, tokens and tracing only in hub"
PAGES = "the console makes pages of answers: it asks nobody, keeps nothing"
ALEMBIC = "alembic only in store"
PURE = "the office's rules are pure: domain reaches no store, no network, no framework"
WORKBOOKS = "strangers' workbooks are opened by adapters, in a process of their own"

PLANTED = [
    ("store/engine.py", "import hub.limits", {DIRECTION}),
    ("catalog/items.py", "import store.words", {DIRECTION, PURE}),
    ("audit/tree.py", "import adapters.decode", {DIRECTION, WITNESS}),
    ("resolvers/plan.py", "import resolvers.cursor", {RESOLVERS}),
    ("resolvers/execute.py", "import resolvers.compile", {RESOLVERS}),
    ("resolvers/shortcut.py", "import resolvers.plan", {RESOLVERS}),
    ("hub/app.py", "import hub.demo.places", {HUB}),
    ("hub/cli/say.py", "import hub.witness.record", {HUB}),
    ("hub/witness/service.py", "import store.audit", {WITNESS}),
    ("hub/witness/service.py", "import audit.log", {WITNESS}),
    ("adapters/row.py", "import adapters.databases.sql", {KINDS}),
    ("hub/app.py", "import casbin", {CASBIN}),
    ("resolvers/binding.py", "import strawberry", {STRAWBERRY}),
    ("resolvers/execute.py", "import graphql", {GRAPHQL}),
    ("hub/edge/endpoint.py", "import graphql", {GRAPHQL}),
    ("resolvers/execute.py", "import sqlalchemy", {SQL}),
    ("store/words.py", "import httpx", {HTTPX}),
    ("resolvers/answer.py", "import starlette.responses", {WEB}),
    ("console/page.py", "import hub.limits", {DIRECTION}),
    ("console/page.py", "import store.cases", {PAGES}),
    ("console/rendering.py", "import starlette.responses", {PAGES}),
    ("hub/app.py", "import alembic.command", {ALEMBIC}),
    ("hub/cli/source_sync.py", "import python_calamine", {WORKBOOKS}),
    ("domain/case.py", "import store.words", {PURE}),
    ("catalog/items.py", "import httpx", {HTTPX, PURE}),
]
"""file, planted line, the contracts it breaks. catalog/items.py is imported by domain: PURE
and WITNESS count what is reached, however long the road."""


def linted(folder: Path) -> tuple[int, dict[str, str]]:
    """Exit code of lint-imports in `folder` and each contract's verdict."""
    ran = subprocess.run(
        [PROGRAM, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True
    )
    return ran.returncode, dict(VERDICT.findall(ran.stdout))


def copied(root: Path, ours: tuple[str, ...], folder: Path) -> None:
    shutil.copy(root / "pyproject.toml", folder)
    for name in ours:
        modules = shutil.ignore_patterns("__pycache__", "*.toml", "*.csv", "*.graphql")
        shutil.copytree(root / name, folder / name, ignore=modules)


def test_every_contract_holds(root: Path) -> None:
    code, verdicts = linted(root)
    assert code == 0
    assert verdicts == dict.fromkeys(written(root), "KEPT")
    assert len(verdicts) == 15


@pytest.mark.parametrize(("file", "line", "broken"), PLANTED)
def test_a_planted_import_breaks_exactly_its_contracts(
    root: Path, ours: tuple[str, ...], tmp_path: Path, file: str, line: str, broken: set[str]
) -> None:
    copied(root, ours, tmp_path)
    target = tmp_path / file
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(f"{before}\n{line}\n", encoding="utf-8")
    code, verdicts = linted(tmp_path)
    assert code == 1
    assert {name for name, verdict in verdicts.items() if verdict == "BROKEN"} == broken


def test_every_contract_has_a_planted_breach(root: Path) -> None:
    assert set().union(*(broken for _, _, broken in PLANTED)) == set(written(root))


def written(root: Path) -> list[str]:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]
