"""The wheel holds everything the program needs, and runs where no checkout is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.head import HEAD

ROOT = Path(__file__).parents[2]
INSIDE = {
    "adapters/contract.py",
    "audit/log.py",
    "authz/model.conf",
    "authz/policy.csv",
    "authz/policy_demo.csv",
    "authz/roles.toml",
    "catalog/codes.toml",
    "catalog/datasets/hub.toml",
    "catalog/divisions.csv",
    "catalog/division_aliases.csv",
    "catalog/county_days.csv",
    "catalog/limits.toml",
    "catalog/routing.toml",
    "console/documents/board.graphql",
    "console/static/console.css",
    "console/templates/page.html",
    "domain/case.py",
    "hub/_alembic/env.py",
    "hub/_departments/deliveries.py",
    "hub/_departments/employment.py",
    "hub/_departments/health.py",
    "hub/_departments/medical_insurance.py",
    "hub/_departments/provincial.py",
    "hub/_departments/service.py",
    "hub/_examples/open_cases.graphql",
    "hub/_examples/township_clerk.graphql",
    "hub/_examples/township_clerk.variables.json",
    "hub/_scenarios.toml",
    "hub/printing/documents/decision.graphql",
    "hub/printing/templates/paper.1.css",
    "hub/printing/templates/paper.1.html",
    "hub/witness/program.py",
    "resolvers/answer.py",
    "schema/schema.graphql",
    "store/tables.py",
}
OURS = {
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
}

Ran = subprocess.CompletedProcess[str]
Program = Callable[..., Ran]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built by the build backend without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with our wheel, whose only other packages are those of this environment."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    here = Path(sysconfig.get_path("purelib"))
    there = next(folder.glob("lib/python*/site-packages"))
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install"]
    quiet = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "-q"]
    subprocess.run([*command, *quiet, str(wheel)], check=True, capture_output=True)
    # A plain line of a .pth adds the folder, and does not run the .pth files in it: our editable
    # install there stays unknown.
    (there / "dependencies.pth").write_text(f"{here}\n")
    return folder


@pytest.fixture
def program(elsewhere: Path, tmp_path: Path) -> Program:
    """The installed ``hub`` from an empty folder."""

    def start(*words: object, **settings: str) -> Ran:
        plain = {n: v for n, v in os.environ.items() if not n.startswith(("HUB_", "PYTHON"))}
        command = [str(elsewhere / "bin/hub"), *map(str, words)]
        return subprocess.run(
            command, cwd=tmp_path, env=plain | settings, capture_output=True, text=True, timeout=60
        )

    return start


def test_everything_the_program_reads_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert INSIDE - names == set()
    data = {".toml", ".csv", ".conf", ".graphql", ".json", ".html", ".css"}
    ours = [p for name in OURS for p in (ROOT / name).rglob("*") if p.suffix in data | {".py"}]
    assert {p.relative_to(ROOT).as_posix() for p in ours} - names == set()
    versions = {p.name for p in (ROOT / "alembic/versions").glob("*.py")}
    assert {f"hub/_alembic/versions/{name}" for name in versions} - names == set()


def test_nothing_else_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == OURS
    assert [name for name in names if "__pycache__" in name or name.endswith(".sqlite")] == []


def test_the_installed_program_is_not_the_checkout(elsewhere: Path, tmp_path: Path) -> None:
    asked = "import hub, store.migrate as m; print(hub.__file__); print(m.migrations())"
    ran = subprocess.run(
        [elsewhere / "bin/python", "-c", asked], cwd=tmp_path, capture_output=True, text=True
    )
    file, migrations = ran.stdout.split()
    assert Path(file).is_relative_to(elsewhere)
    assert Path(migrations).is_relative_to(elsewhere)


def test_it_upgrades_a_new_store(program: Program, tmp_path: Path) -> None:
    settings = {
        "HUB_DATA_DIR": str(tmp_path),
        "HUB_STORE_URL": f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}",
        "HUB_ISSUER": "https://issuer.invalid",
    }
    upgraded = program("db", "upgrade", **settings)
    assert (upgraded.returncode, upgraded.stderr) == (0, "")
    assert program("db", "status", **settings).stdout == f"数据库版本 {HEAD}，程序需要 {HEAD}\n"


def test_it_prints_the_schema(program: Program) -> None:
    ran = program("schema", "print")
    assert ran.stderr == ""
    assert ran.stdout == (ROOT / "schema/schema.graphql").read_text(encoding="utf-8")


def test_the_witness_is_a_program_of_its_own(elsewhere: Path, tmp_path: Path) -> None:
    command = [str(elsewhere / "bin/hub-witness"), "keys", "--create", "--name", "audit.invalid/w1"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("audit.invalid/w1+")
    assert [path.name for path in tmp_path.iterdir()] == ["witness.key"]


def test_it_does_the_main_job(program: Program, tmp_path: Path) -> None:
    ran = program("demo", "--dir", "county")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1].startswith("审计核验：日志完好：")
    mark = json.loads((tmp_path / "county/demo.json").read_text(encoding="utf-8"))
    assert mark["people"] > 4000
