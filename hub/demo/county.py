"""An invented county from a seed, in every source's own shape (领域设计 2.7).

`build` writes nine source databases and the register file; `load_store` (``hub/demo/load.py``)
brings the register into a migrated store. Same seed, scale, date and key: same bytes. Nothing
reads the wall clock. No person is real: every id number begins with 539922.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from adapters.crosswalk import to_foreign
from catalog.load import Catalog, load
from catalog.states import CodeScheme
from hub.demo import cases, complaints, orders, register, work
from hub.demo.files import RowFile, Rows
from hub.demo.people import Household, Numbers, Person, villagers
from hub.demo.places import Place, places
from hub.demo.planted import DEMO, Demonstration, Plant, demonstrations, plants
from hub.demo.register import Entry, citizen_rows, household_row, opaque_id
from hub.demo.sources import WRITERS
from hub.demo.village import Village

SEED = 532622
AS_OF = date(2026, 11, 1)
SMALL = 0.01  # one village a township, about 4,800 people
ADULT = 18

Progress = Callable[[int, int], None]
"""Villages done, villages in all."""

REGISTER_SHEETS = (
    register.HOUSEHOLD,
    register.CITIZEN,
    cases.CASE,
    cases.EVENT,
    orders.ORDER,
    work.WORK,
    work.TIMEOUT,
    complaints.COMPLAINT,
    complaints.EVENT,
)


@dataclass(frozen=True, slots=True)
class County:
    """What was built: where its files lie, how many rows each table got, whom to show."""

    folder: Path
    scale: float
    seed: int
    as_of: date
    places: tuple[Place, ...]
    counts: Mapping[str, Mapping[str, int]]
    demonstrations: tuple[Demonstration, ...]

    @property
    def register(self) -> Path:
        """The register file that `load_store` reads."""
        return self.folder / "register.sqlite"

    def source(self, name: str) -> Path:
        """A source's SQLite file."""
        return self.folder / "sources" / f"{name}.sqlite"

    def demonstration(self, label: str) -> Demonstration:
        """The person to show of a label (zhelai, bange, jiangna)."""
        return next(d for d in self.demonstrations if d.label == label)


def build(
    folder: Path,
    *,
    scale: float,
    key: bytes,
    seed: int = SEED,
    as_of: date = AS_OF,
    progress: Progress | None = None,
) -> County:
    """Write the county into `folder`, over whatever county lay there.

    `scale` 0.01 … 1 of 480,000 people; `key` is the county key of `citizen_uid`.
    """
    catalog = load()
    chosen = places(catalog.divisions, scale, seed)
    firsts = first_villages(chosen)
    planted = plants(firsts, as_of)
    making = Making(catalog, scale, key, seed, as_of, planted, Numbers())
    sources = {n: RowFile(folder / "sources" / f"{n}.sqlite", w.sheets) for n, w in WRITERS.items()}
    hub = RowFile(folder / "register.sqlite", REGISTER_SHEETS)
    for done, place in enumerate(chosen, start=1):
        village = making.village(place)
        for name, writer in WRITERS.items():
            sources[name].put(writer.rows(village, making.rng(name, place.path)))
        hub.put(making.register(village))
        if progress:
            progress(done, len(chosen))
    for file in (*sources.values(), hub):
        file.close()
    write_planted(folder / "planted.csv", planted, seed)
    counts = {name: file.counts for name, file in sources.items()} | {"hub": hub.counts}
    shown = demonstrations(firsts, seed, as_of)
    return County(folder, scale, seed, as_of, tuple(chosen), counts, shown)


def first_villages(chosen: Sequence[Place]) -> list[str]:
    """The first village of each township: in the county at every scale."""
    found: dict[str, str] = {}
    for place in chosen:
        found.setdefault(place.township, place.path)
    return list(found.values())


def small_villages() -> tuple[tuple[str, str, str], ...]:
    """(path, name, township name) of the villages of the smallest county."""
    chosen = places(load().divisions, SMALL, SEED)
    return tuple((p.path, p.name, p.township_name) for p in chosen)


def write_planted(file: Path, planted: Sequence[Plant], seed: int) -> None:
    """``planted.csv``: rule, citizen, expected result."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("rule", "citizen", "expected"))
        for plant in (p for p in planted if p.rule != DEMO):
            citizen = opaque_id(seed, "citizen", plant.person.serial)
            writer.writerow((plant.rule, citizen, plant.expected))


@dataclass(frozen=True, slots=True)
class Making:
    """One run of the generator: what all villages share."""

    catalog: Catalog
    scale: float
    key: bytes
    seed: int
    as_of: date
    planted: Sequence[Plant]
    numbers: Numbers

    def rng(self, what: str, path: str) -> Random:
        """Chance for one thing in one village: adding a source changes no other file."""
        return Random(f"{self.seed}/{what}/{path}")  # noqa: S311  invented people, no secret

    def village(self, place: Place) -> Village:
        """A village with its drawn and planted households."""
        drawn = villagers(place, self.rng("people", place.path), self.numbers, self.as_of)
        added = [p.household for p in self.planted if p.village == place.path]
        divisions = self.catalog.divisions
        code = divisions.by_path[place.path].code
        civil = to_foreign(divisions, CodeScheme.CIVIL_GB10114, code)
        if civil is None:
            raise ValueError("a village without a civil-affairs code")
        return Village(place, civil, (*drawn, *added), self.as_of)

    def register(self, village: Village) -> Rows:
        """A village's rows for the hub's own store."""
        rng = self.rng("register", village.place.path)
        citizens: list[tuple[Any, ...]] = []
        people: list[tuple[Household, Person, Entry]] = []
        for household, person, entry, row in citizen_rows(self.seed, village, self.key, rng):
            citizens.append(row)
            people.append((household, person, entry))
        households = [household_row(self.seed, village, h) for h in village.households]
        return {
            "household": households,
            "citizen": citizens,
            **self._cases(village, people),
        }

    def _cases(self, village: Village, people: list[tuple[Household, Person, Entry]]) -> Rows:
        found: dict[str, list[tuple[Any, ...]]] = {
            "case_file": [],
            "case_event": [],
            "supervision_order": [],
            "work_order": [],
            "timeout_event": [],
            "complaint": [],
            "complaint_event": [],
        }
        rng = self.rng("cases", village.place.path)
        applicants = [e for h, p, e in people if _may_apply(h, p)]
        for wish in cases.village_wishes(village, self.scale, rng, self.catalog.items):
            self._case(village, wish, rng.choice(applicants), rng, found)
        entries = {person.serial: entry for _, person, entry in people}
        for plant in self.planted:
            if plant.village != village.place.path:
                continue
            for wish in plant.wishes:
                own = Random(f"planted/{wish.number}")  # noqa: S311  invented, no secret
                self._case(village, wish, entries[plant.person.serial], own, found)
        return found

    def _case(
        self,
        village: Village,
        wish: cases.Wish,
        entry: Entry,
        rng: Random,
        found: dict[str, list[tuple[Any, ...]]],
    ) -> None:
        dept = self.catalog.items[wish.item].department
        case = cases.build_case(wish, entry, village, dept, rng, self.seed)
        found["case_file"].append(case.row())
        found["case_event"] += case.event_rows(self.seed)
        opened, late = work.rows(case, self.catalog, self.seed)
        found["work_order"] += opened
        found["timeout_event"] += late
        complained, done = complaints.rows(case, self.catalog, self.seed)
        found["complaint"] += complained
        found["complaint_event"] += done
        order = orders.order_row(case, rng, self.seed) if case.wish.order else None
        if order:
            found["supervision_order"].append(order)


def _may_apply(household: Household, person: Person) -> bool:
    return person.age >= ADULT and person.dead_on is None and not household.planted
