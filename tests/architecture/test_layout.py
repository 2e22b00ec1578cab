"""The tree: folders that are no packages, plain names, every test beside what it tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

VAGUE = re.compile(r"(^|_)(utils?|helpers?|manager|common|misc)(_|$)")

TESTED = {
    "adapters": ("adapters", "adapters/databases", "adapters/drops", "adapters/web"),
    "audit": ("audit", "audit/verify"),
    "console": ("console", "console/pages", "hub/edge"),
    "demo": ("hub/demo", "hub/demo/sources"),
    "departments": ("examples/departments",),
    "hub": ("hub", "hub/cli", "hub/edge", "hub/identity", "hub/printing", "hub/telemetry"),
    "resolvers": ("resolvers", "resolvers/commands", "resolvers/roots"),
    "migrations": ("alembic/versions", "store"),
    "witness": ("hub/witness", "hub"),
}
"""tests/<folder> -> the folders of its subjects, if not the package of the same name."""

OPERATIONS = {
    "adapters/test_postgres_reach": "postgres_pool.py over a store locked by place",
    "audit/test_archive_faults": "the archive killed, refused and out of room at every step",
    "audit/test_clock": "the machine's clock jumps under the log",
    "audit/test_crash": "kill -9 under load, then verify",
    "audit/test_disk_calls": "each call by which SQLite writes the log fails",
    "audit/test_killed": "the followers of the log, killed in the middle of their work",
    "audit/test_kills": "the writer killed at every point, on both databases",
    "audit/test_slow_store": "slow commits, a hung replica, a storm of starts",
    "audit/test_tampered_segments": "what is done to the archive's files, each named",
    "audit/test_pymerkle": "proofs of tiles.py beside those of another implementation",
    "audit/test_signer_kill": "kill -9 at each point between memory, database and anchor",
    "authz/test_defects": "what is known of the wrapped library, D1 to D15",
    "authz/test_laws": "what no policy may break, on random policies",
    "authz/test_traps": "where the county itself misleads, T1 to T12",
    "console/test_deeds": "what forms of pages do",
    "console/test_escaping": "canaries on pages and in files",
    "demo/test_shares": "the county's shares, from county.py and its writers",
    "hub/test_alert_verbs": "hub audit rules and hub audit alerts, as an officer types them",
    "hub/test_archive_verbs": "the verbs of hub/cli/audit/archive.py, as a user types them",
    "hub/test_cli": "the verbs of hub/cli, as a user types them",
    "hub/test_wheel": "build, install, run elsewhere",
    "resolvers/test_conditions": "null for a condition, from the Shape to the record",
    "resolvers/test_row_lock": "the county with the lock of store/row_lock.py",
    "schema/test_sdl": "schema.graphql",
    "schema/test_rights": "levels and rights printed in the schema",
}
"""Test files that are named after something done, not after a source file."""

WHOLE = (
    "architecture",
    "attacks",
    "browser",
    "conformance",
    "docs",
    "faults",
    "journeys",
    "mutation",
    "oracle",
    "properties",
)
"""Folders whose every file is an operation."""

INVENTED = "539922"
SAMPLE = "11010519491231002X"  # printed in GB 11643 itself
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
MOBILE = re.compile(r"(?<![0-9A-Za-z.])1[3-9][0-9]{9}(?![0-9A-Za-z])")


def homeless(root: Path) -> Iterator[str]:
    """Test files named after no source file and no operation."""
    for file in sorted((root / "tests").rglob("test_*.py")):
        folder, *_ = file.relative_to(root / "tests").parts
        if folder in WHOLE or f"{folder}/{file.stem}" in OPERATIONS:
            continue
        stem = file.stem.removeprefix("test_")
        subjects = [root / place for place in TESTED.get(folder, (folder,))]
        if not any(list(s.glob(f"{stem}.py")) + list(s.glob(f"*_{stem}.py")) for s in subjects):
            yield f"{folder}/{file.stem}"


def personal(text: str) -> list[str]:
    """Numbers that could be somebody's: valid id numbers and mobiles outside our ranges."""
    ids = [n.upper() for n in ID_NUMBER.findall(text) if not n.startswith(INVENTED)]
    return [n for n in ids if n != SAMPLE and _checks(n)] + MOBILE.findall(text)


def _checks(number: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(number, WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[-1]


def test_every_test_file_is_named_after_what_it_tests(root: Path) -> None:
    # Name a test after its source file, or list it in OPERATIONS.
    assert list(homeless(root)) == []


def test_a_test_of_nothing_is_seen(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/engine.py").touch()
    (tmp_path / "tests/store").mkdir(parents=True)
    (tmp_path / "tests/store/test_engine.py").touch()
    (tmp_path / "tests/store/test_more.py").touch()
    assert list(homeless(tmp_path)) == ["store/test_more"]


def test_every_named_operation_has_its_file(root: Path) -> None:
    assert [o for o in OPERATIONS if not (root / "tests" / f"{o}.py").is_file()] == []


def test_migrations_and_tests_are_no_packages(root: Path) -> None:
    # alembic/__init__.py would be imported for the library, tests/schema/__init__.py for schema.
    for folder in ("alembic", "tests", "examples"):
        assert list((root / folder).rglob("__init__.py")) == []
    assert (root / "alembic/env.py").is_file()


def test_every_module_has_a_plain_name(sources: dict[str, str]) -> None:
    vague = [
        p for p in sources if any(VAGUE.search(part) for part in Path(p).with_suffix("").parts)
    ]
    assert vague == []
    assert VAGUE.search("case_helpers")
    assert not VAGUE.search("manage")


def test_no_file_holds_a_number_that_could_be_somebodys(root: Path) -> None:
    asked = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=root, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("no git checkout: nothing is tracked")
    files = [root / line for line in listed.stdout.splitlines()]
    texts = {str(f): f.read_bytes().decode("utf-8", "replace") for f in files if f.is_file()}
    assert {name: found for name, text in texts.items() if (found := personal(text))} == {}
    assert len(texts) > 100


def test_a_number_that_could_be_somebodys_is_seen() -> None:
    stranger = "53262219900101" + "001"
    total = sum(int(digit) * weight for digit, weight in zip(stranger, WEIGHTS, strict=True))
    stranger += "10X98765432"[total % 11]
    mobile = "13" + "8" * 9
    assert personal(f"{stranger} {mobile} {SAMPLE} 12345678901") == [stranger, mobile]
