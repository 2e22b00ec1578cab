"""No other installed distribution claims one of our names: it would be imported in our place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

OWN = "data-sharing-hub"
FORBIDDEN = "casbin"  # stopped in 2025, has the import name of pycasbin, and its files win
BESIDE = (
    "tests",
    "examples",
    "bench",
)  # folders of the checkout that are imported from or run by path

HARMLESS = "aiomysql: examples"
"""Its sample programs, no package (no ``__init__``): nothing of ours under this name is hidden."""


def claims(found: Iterable[Distribution], names: Iterable[str]) -> Iterator[str]:
    """``distribution: file`` for each file of another distribution below one of `names`."""
    taken = {*names, *(f"{name}.py" for name in names)}
    for distribution in found:
        if distribution.name == OWN:
            continue
        tops = {file.parts[0] for file in distribution.files or ()}
        yield from (f"{distribution.name}: {top}" for top in sorted(tops & taken))


def installed(folder: Path, name: str, *files: str) -> list[Distribution]:
    """A distribution in `folder` as an installer would leave it."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return list(distributions(path=[str(folder)]))


def test_nobody_else_claims_our_names(ours: tuple[str, ...]) -> None:
    found = list(distributions())
    assert OWN in {distribution.name for distribution in found}
    assert len(found) > 30  # the search saw the environment the tests run in
    strangers = set(claims(found, [*ours, *BESIDE]))
    stray = [f for d in found if d.name == "aiomysql" for f in d.files or ()]
    assert "examples/__init__.py" not in map(str, stray)
    assert strangers - {HARMLESS} == set()


def test_a_stranger_with_our_name_is_seen(ours: tuple[str, ...], tmp_path: Path) -> None:
    package = installed(tmp_path / "a", "schema", "schema/__init__.py", "contextlib2/x.py")
    module = installed(tmp_path / "b", "single", "catalog.py")
    harmless = installed(tmp_path / "c", "harmless", "harmless/hub/x.py")
    assert list(claims(package, ours)) == ["schema: schema"]
    assert list(claims(module, ours)) == ["single: catalog.py"]
    assert list(claims(harmless, ours)) == []


def test_the_old_casbin_is_not_installed(tmp_path: Path) -> None:
    assert [d.name for d in distributions() if d.name == "pycasbin"] == ["pycasbin"]
    assert [d.name for d in distributions() if d.name == FORBIDDEN] == []
    planted = installed(tmp_path, FORBIDDEN, "casbin/__init__.py")
    assert [d.name for d in planted if d.name == FORBIDDEN] == [FORBIDDEN]
