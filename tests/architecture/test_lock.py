"""The lock files pin every package by hash and say nothing of where it comes from."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ADDRESS = re.compile(r"://|--index-url|--extra-index-url|--find-links|--trusted-host|@ ")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
LOCKS = ("requirements.lock", "requirements-dev.lock")


def faults(text: str) -> list[str]:
    """What is wrong with a lock file, one line each."""
    wrong = [f"address: {line}" for line in text.splitlines() if ADDRESS.search(line)]
    for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]:
        first = entry.splitlines()[0]
        if not PIN.match(entry):
            wrong.append(f"no pin: {first}")
        elif not HASH.search(entry):
            wrong.append(f"no hash: {first}")
    return wrong


def pins(root: Path, lock: str) -> dict[str, str]:
    return dict(PIN.findall((root / lock).read_text(encoding="utf-8")))


def wanted(root: Path, *extras: str) -> list[Requirement]:
    """The direct requirements of pyproject.toml with those of `extras`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [r for r in map(Requirement, lines) if r.name != project["name"]]


def name(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_has_a_package_whose_limits_do_not_hold(root: Path, lock: str) -> None:
    """It walks every spread of a fragment bomb; `resolvers/scale.py` walks the text once."""
    assert {"graphql-complexity"} & pins(root, lock).keys() == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_no_address(root: Path, lock: str) -> None:
    assert faults((root / lock).read_text(encoding="utf-8")) == []
    assert len(pins(root, lock)) > 40


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("--index-url https://mirror.invalid/simple\n", "address: "),
        ("--find-links wheels\n", "address: "),
        ("stranger @ https://mirror.invalid/x.whl\n", "address: "),
        ("stranger==1.0\n", "no hash: "),
        ("stranger>=1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n", "no pin: "),
    ],
)
def test_a_planted_fault_is_seen(root: Path, planted: str, fault: str) -> None:
    lock = (root / LOCKS[0]).read_text(encoding="utf-8")
    assert [line for line in faults(lock + planted) if line.startswith(fault)]


@pytest.mark.parametrize(
    ("lock", "extras"),
    [(LOCKS[0], ("postgres", "build")), (LOCKS[1], ("postgres", "build", "dev"))],
)
def test_every_requirement_is_locked_to_a_version_it_allows(
    root: Path, lock: str, extras: tuple[str, ...]
) -> None:
    locked = pins(root, lock)
    for requirement in wanted(root, *extras):
        assert name(requirement) in locked, requirement
        assert requirement.specifier.contains(locked[name(requirement)]), requirement


def test_both_locks_agree(root: Path) -> None:
    run, dev = pins(root, LOCKS[0]), pins(root, LOCKS[1])
    assert {n: v for n, v in run.items() if dev.get(n) != v} == {}
    assert "pycasbin" in run
    assert "casbin" not in dev


def test_a_lock_with_addresses_is_not_tracked(root: Path) -> None:
    asked = ["git", "ls-files", "uv.lock", "*.whl", ".venv", "demo-data", "requirements.lock"]
    try:
        found = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout: nothing is tracked")
    assert found.stdout.split() == ["requirements.lock"]
