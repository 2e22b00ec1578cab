"""Division codes: the canonical NBS tree and the other schemes beside it.

Canonical is the 12-digit NBS code. Inside the hub a place is a *region path*: the same
code without its trailing ``000`` groups (county 6, township 9, village 12 digits), so that
"inside" is a prefix. Eight of the eleven civil-affairs township codes are *another*
township's NBS code (领域设计 2.4), so a code without its scheme means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from catalog.errors import CatalogError
from catalog.states import CodeScheme
from catalog.table import read_csv

COUNTY = "532622"
_PATH = re.compile(r"532622(\d{3}(\d{3})?)?\Z")


class Level(StrEnum):
    """行政层级."""

    PROVINCE = "PROVINCE"
    PREFECTURE = "PREFECTURE"
    COUNTY = "COUNTY"
    TOWNSHIP = "TOWNSHIP"
    VILLAGE = "VILLAGE"


@dataclass(frozen=True, slots=True)
class Division:
    """One place. `code` 12 digits, `path` cut at its level, `parent` a path or None."""

    code: str
    name: str
    level: Level
    path: str
    parent: str | None


def region_path(code: str) -> str:
    """The region path of a canonical 12-digit code: ``532622205000`` -> ``532622205``.

    A county code is *not* a prefix of its villages until its zeros are cut. ValueError
    for anything that is not 12 digits.
    """
    if len(code) != 12 or not code.isascii() or not code.isdigit():
        raise ValueError("a canonical division code has 12 digits")
    head, township, village = code[:6], code[6:9], code[9:]
    if village != "000":
        return code
    return head + township if township != "000" else head


def is_region_path(path: str) -> bool:
    """True for the county (6 digits), a township (9) or a village (12) of Yanshan."""
    return bool(_PATH.match(path)) and not path[6:].endswith("000")


def covers(outer: str, inner: str) -> bool:
    """True if the region path `inner` lies in `outer`, at level borders only."""
    return inner == outer or (inner.startswith(outer) and len(outer) in (6, 9))


_DIGITS = {Level.COUNTY: 6, Level.TOWNSHIP: 9, Level.VILLAGE: 12}


def place_at(path: str, level: Level) -> str | None:
    """The place of a level that a region path lies in, None if the path ends above it.

    KeyError for a level above the county, which is no region path.
    """
    digits = _DIGITS[level]
    return path[:digits] if len(path) >= digits else None


class Divisions:
    """All places of the county, and every other scheme's names for them."""

    def __init__(
        self, places: Mapping[str, Division], aliases: Mapping[tuple[str, str], str]
    ) -> None:
        self._by_code = dict(places)
        self._aliases = dict(aliases)

    def __iter__(self) -> Iterator[Division]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def get(self, code: str) -> Division | None:
        """By canonical 12-digit code."""
        return self._by_code.get(code)

    @cached_property
    def by_path(self) -> Mapping[str, Division]:
        """By region path, the county and everything in it."""
        return {d.path: d for d in self if d.path.startswith(COUNTY)}

    @cached_property
    def _outward(self) -> Mapping[tuple[str, str], str]:
        return {(scheme, canonical): code for (scheme, code), canonical in self._aliases.items()}

    def canonical(self, scheme: CodeScheme, code: str) -> str | None:
        """Canonical code of a foreign one, None if the scheme does not know it. No guessing."""
        if scheme is CodeScheme.NBS_STAT:
            return code if code in self._by_code else None
        return self._aliases.get((scheme, code))

    def foreign(self, scheme: CodeScheme, canonical: str) -> str | None:
        """The scheme's own code for a canonical one, None if it has none."""
        if scheme is CodeScheme.NBS_STAT:
            return canonical if canonical in self._by_code else None
        return self._outward.get((scheme, canonical))

    def townships(self) -> list[Division]:
        """The eleven townships in code order."""
        return [d for d in self if d.level is Level.TOWNSHIP]

    def villages(self, township: str | None = None) -> list[Division]:
        """The villages, of one township (by path) or of all."""
        return [
            d
            for d in self
            if d.level is Level.VILLAGE and (township is None or d.parent == township)
        ]


def load_divisions(folder: Path) -> Divisions:
    """Read ``divisions.csv`` and ``division_aliases.csv``. CatalogError names the line."""
    places: dict[str, Division] = {}
    for line, row in read_csv(folder / "divisions.csv", ("code", "name", "level", "parent")):
        try:
            level = Level(row["level"].upper())
            path = region_path(row["code"])
        except ValueError as error:
            raise CatalogError("divisions.csv", f"line {line}", str(error)) from None
        parent = region_path(row["parent"]) if row["parent"] else None
        places[row["code"]] = Division(row["code"], row["name"], level, path, parent)
    aliases: dict[tuple[str, str], str] = {}
    for line, row in read_csv(folder / "division_aliases.csv", ("scheme", "code", "canonical")):
        if row["canonical"] not in places:
            raise CatalogError(
                "division_aliases.csv",
                f"line {line}",
                "canonical code not in divisions.csv: add it",
            )
        aliases[(CodeScheme(row["scheme"]), row["code"])] = row["canonical"]
    return Divisions(places, aliases)
