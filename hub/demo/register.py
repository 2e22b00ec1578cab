"""人员底册: the register rows of the invented people, with the faults a real import has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from random import Random
from typing import Any

from adapters.identity import citizen_uid, local_uid
from catalog.divisions import COUNTY
from catalog.states import DQCode
from hub.demo.files import Sheet, mixed, texts
from hub.demo.people import Household, Person
from hub.demo.village import Village

MISSING, WRONG_CHECK_DIGIT = 0.004, 0.002  # of numbers (领域设计 2.7)
UNPLACED = 0.003  # of persons: the import could not tell their village
CLEAN: tuple[DQCode, ...] = ()
PLACED_STATE, UNPLACED_STATE = "PLACED", "UNPLACED"

_CITIZEN = (
    "id citizen_uid id18 name sex birth birth_band ethnic phone address household_id "
    "region_path region_state home_path dq as_of"
)
CITIZEN = Sheet("citizen", texts(_CITIZEN))
HOUSEHOLD = Sheet(
    "household",
    mixed("id household_no size region_path region_state as_of", "size"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What other rows refer to: the citizen's id and uid, the household's id."""

    citizen: str
    uid: str
    household: str


def opaque_id(seed: int, kind: str, serial: str) -> str:
    """A UUID-shaped text of a row's serial number; no personal value goes into it."""
    text = sha256(f"{seed}/{kind}/{serial}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def household_row(seed: int, village: Village, household: Household) -> tuple[Any, ...]:
    """A row of `household`."""
    return (
        opaque_id(seed, "household", household.no),
        household.no,
        len(household.members),
        village.place.path,
        PLACED_STATE,
        village.as_of.isoformat(),
    )


def citizen_rows(
    seed: int, village: Village, key: bytes, rng: Random
) -> Iterator[tuple[Household, Person, Entry, tuple[Any, ...]]]:
    """Rows of `citizen` with the person and the entry they make."""
    for household, person in village.persons():
        id18, faults = (person.number, CLEAN) if household.planted else _number(person, rng)
        placed = household.planted or rng.random() >= UNPLACED
        uid = citizen_uid(key, id18) if id18 else local_uid(key, "rev", person.serial)
        entry = Entry(
            opaque_id(seed, "citizen", person.serial),
            uid,
            opaque_id(seed, "household", household.no),
        )
        dq = faults if placed else (*faults, DQCode.DQ07)
        yield household, person, entry, _row(village, household, person, entry, id18, dq)


def _number(person: Person, rng: Random) -> tuple[str | None, tuple[DQCode, ...]]:
    draw = rng.random()
    if draw < MISSING:
        return None, (DQCode.DQ05,)
    # A number with a wrong check digit identifies nobody: it is not kept.
    if draw < MISSING + WRONG_CHECK_DIGIT:
        return None, (DQCode.DQ02,)
    return person.number, CLEAN


def _row(
    village: Village,
    household: Household,
    person: Person,
    entry: Entry,
    id18: str | None,
    dq: tuple[DQCode, ...],
) -> tuple[Any, ...]:
    place, placed = village.place, DQCode.DQ07 not in dq
    return (
        entry.citizen,
        entry.uid,
        id18,
        person.name,
        "MALE" if person.male else "FEMALE",
        person.birth.isoformat(),
        birth_band(person.birth),
        person.ethnic,
        person.phone,
        f"{place.township_name}{place.name}{household.hamlet}小组",
        entry.household,
        place.path if placed else COUNTY,
        PLACED_STATE if placed else UNPLACED_STATE,
        place.path if placed else None,
        " ".join(dq),
        village.as_of.isoformat(),
    )


def birth_band(birth: date) -> str:
    """The decade of birth, ``1960–1969``."""
    decade = birth.year // 10 * 10
    return f"{decade}–{decade + 9}"
