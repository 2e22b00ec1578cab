"""Other people's place codes and place names -> ours, or nothing; never a guess.

A code means a place only together with its scheme: eight of the eleven civil-affairs
township codes are another township's statistical code (领域设计 2.4). A department without
codes (DEPT_LOCAL) writes names: ``乡镇/村``, the village with or without 村委会/社区. 蚌峨乡 has
the village 蚌蛾村委会; its people write either character, so inside that township, and nowhere
else, both are read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from catalog.divisions import COUNTY, Division, Divisions, Level
from catalog.states import CodeScheme

TWIN_TOWNSHIP = COUNTY + "206"  # 蚌峨乡, the only place where the two characters are one
TWINS = ("峨", "蛾")

_SUFFIX = re.compile(r"(村民委员会|村委会|居委会|社区)\Z")
_NOISE = re.compile("[\\s/,，、\u200b\ufeff]+")
_ABOVE = re.compile(r"(云南省)?(文山(壮族苗族自治)?州)?(砚山县)?")


def to_canonical(divisions: Divisions, scheme: CodeScheme, code: str) -> str | None:
    """The canonical 12-digit code of a foreign code (DEPT_LOCAL: place name), or None (DQ07)."""
    if scheme is not CodeScheme.DEPT_LOCAL:
        return divisions.canonical(scheme, code.strip())
    path = parse_place(divisions, code)
    return divisions.by_path[path].code if path else None


def to_foreign(divisions: Divisions, scheme: CodeScheme, canonical: str) -> str | None:
    """A scheme's own code for a canonical one (DEPT_LOCAL: ``乡镇/村``), or None."""
    if scheme is not CodeScheme.DEPT_LOCAL:
        return divisions.foreign(scheme, canonical)
    place = divisions.get(canonical)
    names = place_spellings(divisions, place.path) if place else ()
    return names[0] if names else None


def place_spellings(divisions: Divisions, path: str) -> tuple[str, ...]:
    """Every ``乡镇/村`` text (a township: its name) a department may write; official first."""
    place = divisions.by_path.get(path)
    if place is None or place.level is Level.COUNTY:
        return ()
    if place.level is Level.TOWNSHIP:
        return tuple(dict.fromkeys(_twins(path, place.name)))
    township = divisions.by_path[path[:9]]
    return tuple(
        dict.fromkeys(
            f"{upper}/{lower}"
            for upper in _twins(path, township.name)
            for name in _village_names(place)
            for lower in _twins(path, name)
        )
    )


def parse_place(divisions: Divisions, text: str) -> str | None:
    """The region path a place name means; None if it is unknown or could be two places.

    A village may stand alone under its official name, since no two villages share one.
    """
    plain = _NOISE.sub("", unicodedata.normalize("NFKC", text))
    return _names(divisions).get(_ABOVE.sub("", plain, count=1))


@lru_cache(maxsize=4)  # one catalogue a process; tests make a few more
def _names(divisions: Divisions) -> Mapping[str, str]:
    found: dict[str, set[str]] = {}
    for name, path in _all_names(divisions):
        found.setdefault(name, set()).add(path)
    return {name: paths.pop() for name, paths in found.items() if len(paths) == 1}


def _all_names(divisions: Divisions) -> Iterator[tuple[str, str]]:
    for place in (*divisions.townships(), *divisions.villages()):
        yield from (
            (s.replace("/", ""), place.path) for s in place_spellings(divisions, place.path)
        )
        if place.level is Level.VILLAGE:
            yield from ((name, place.path) for name in _village_names(place))


def _village_names(place: Division) -> tuple[str, ...]:
    bare = _SUFFIX.sub("", place.name)
    return (place.name, bare, bare + "村")


def _twins(path: str, name: str) -> Iterator[str]:
    yield name
    if path.startswith(TWIN_TOWNSHIP):
        yield from (name.replace(a, b) for a, b in (TWINS, TWINS[::-1]) if a in name)
