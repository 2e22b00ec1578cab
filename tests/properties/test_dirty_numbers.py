"""Ten thousand dirty id numbers against a reference table: form, fault, grade; nobody is mistaken.

The table says what was done to a number and what must come of it. Numbers, check digits and
expectations are made here by the standard's own table (GB 11643), not by the code under test.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.contract import EXTRA, Call, ReadRequest
from adapters.databases.database import open_database
from adapters.databases.sql import SqlSource
from adapters.identity import canonical, citizen_uid, grade
from adapters.resilience import Guard
from catalog.datasets import KEY_FORMATS
from catalog.load import load
from catalog.states import DQCode, MatchGrade
from store.engine import open_engine
from tests.adapters.plots import unmasked

ROWS = 10_000
PERSONS = 2_000
TODAY = date(2026, 11, 1)
KEY = b"a county key of thirty-two bytes"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")

Write = Callable[[random.Random, str], str | None]


def numbered(first17: str) -> str:
    return first17 + CHECKS[sum(int(d) * w for d, w in zip(first17, WEIGHTS, strict=True)) % 11]


@dataclass(frozen=True)
class Dirt:
    """How a number is written; `fault` None: it is read. `searched`: a source finds it by key."""

    name: str
    write: Write
    fault: DQCode | None = None
    searched: bool = True
    fits: Callable[[str], bool] = lambda _: True


def _swapped(rng: random.Random, id18: str) -> str:
    at = rng.choice([n for n in range(16) if id18[n] != id18[n + 1]])
    return id18[:at] + id18[at + 1] + id18[at] + id18[at + 2 :]


def _other_digit(rng: random.Random, id18: str) -> str:
    at = rng.randrange(17)
    return id18[:at] + rng.choice([d for d in "0123456789" if d != id18[at]]) + id18[at + 1 :]


def _in_the_gaps(id18: str, what: str) -> str:
    return f"{id18[:6]}{what}{id18[6:14]}{what}{id18[14:]}"


def _born(_rng: random.Random, id18: str, birth: str) -> str:
    return numbered(id18[:6] + birth + id18[14:17])


def _is_old(id18: str) -> bool:
    return id18[6:8] == "19"


def _ends_in_x(id18: str) -> bool:
    return id18[-1] == "X"


def _tail(rng: random.Random) -> str:
    return f"{rng.randint(1, 7)}{rng.randint(1, 4)}"


DIRT = (
    Dirt("as it is", lambda _, n: n),
    Dirt("small x", lambda _, n: n.lower(), fits=_ends_in_x),
    Dirt("fifteen digits", lambda _, n: n[:6] + n[8:17], fits=_is_old),
    Dirt("school number", lambda _, n: f"G{n}"),
    Dirt("apostrophe", lambda _, n: f"'{n}"),
    Dirt("blank behind", lambda _, n: f"{n} "),
    Dirt("wide blank behind", lambda _, n: f"{n}\u3000"),
    Dirt("blank before", lambda _, n: f" {n}"),
    Dirt("disability 20", lambda rng, n: n + _tail(rng)),
    Dirt("disability 22", lambda rng, n: f"{n}{_tail(rng)}B{rng.randint(1, 9)}", searched=False),
    Dirt("blanks between", lambda _, n: _in_the_gaps(n, " "), searched=False),
    Dirt("zero width", lambda _, n: "\ufeff" + _in_the_gaps(n, "\u200b"), searched=False),
    Dirt("wide digits", lambda _, n: n.translate(WIDE), searched=False),
    Dirt("quoted", lambda _, n: f"“{n}”", searched=False),
    Dirt("another digit", _other_digit, DQCode.DQ02),
    Dirt("two digits swapped", _swapped, DQCode.DQ02),
    Dirt("a letter inside", lambda _, n: f"{n[:8]}O{n[9:]}", DQCode.DQ02),
    Dirt("a digit lost", lambda rng, n: n[: (at := rng.randrange(17))] + n[at + 1 :], DQCode.DQ01),
    Dirt("a digit more", lambda _, n: f"{n}1", DQCode.DQ01),
    Dirt("temporary", lambda _, n: f"L{n}", DQCode.DQ01),
    Dirt("no such day", lambda rng, n: _born(rng, n, "19900230"), DQCode.DQ03),
    Dirt("not yet born", lambda rng, n: _born(rng, n, "20261102"), DQCode.DQ03),
    Dirt("as a float", lambda _, n: f"{n[0]}.{n[1:6]}E+17", DQCode.DQ04),
    Dirt("empty", lambda rng, _: rng.choice(["", " ", "\u3000", "'"]), DQCode.DQ05),
    Dirt("not there", lambda _, __: None, DQCode.DQ05),
)
NAMES: tuple[tuple[Callable[[str], str | None], MatchGrade], ...] = (
    (lambda name: name, MatchGrade.M1),
    (lambda name: f"{name[0]} {name[1:]}", MatchGrade.M2),
    (lambda name: f"{name}\u3000", MatchGrade.M2),
    (lambda name: f"韦{name}", MatchGrade.M3),
    (lambda name: name.replace(name[-1], "?"), MatchGrade.M3),  # a character the source lost
    (lambda _: "", MatchGrade.M3),
    (lambda _: None, MatchGrade.M3),
)


@dataclass(frozen=True)
class Line:
    """One line of the reference table."""

    person: str
    dirt: Dirt
    written: str | None
    name: str | None
    sure: MatchGrade


def persons() -> dict[str, str]:
    """Id number -> name. Some differ in one digit and the check digit only, some are twins."""
    found = {}
    for n in range(PERSONS):
        birth = date(1935, 1, 1) + timedelta(days=17 * (n // 4))
        found[numbered(f"539922{birth:%Y%m%d}{1 + n % 4:03}")] = f"陆{chr(0x4E00 + n)}山"
    assert len(found) == PERSONS
    return found


def table() -> Iterator[Line]:
    rng, known = random.Random(532622), persons()
    everybody = sorted(known)
    for n in range(ROWS):
        dirt = DIRT[n % len(DIRT)]
        person = rng.choice([p for p in rng.choices(everybody, k=300) if dirt.fits(p)])
        write, sure = NAMES[rng.randrange(len(NAMES))]
        yield Line(person, dirt, dirt.write(rng, person), write(known[person]), sure)


def test_form_fault_and_grade_are_those_of_the_table() -> None:
    known, seen, owners = persons(), Counter[str](), defaultdict[str, set[str]](set)
    for line in table():
        found = canonical(line.written, today=TODAY)
        wanted = None if line.dirt.fault else line.person
        assert (found.id18, found.dq) == (wanted, (line.dirt.fault,) if line.dirt.fault else ())
        seen[line.dirt.name] += 1
        if found.id18 is not None:
            owners[citizen_uid(KEY, found.id18)].add(line.person)
            assert grade(known[line.person], line.name) is line.sure
    assert seen.total() == ROWS
    assert min(seen.values()) == max(seen.values()) == ROWS // len(DIRT)
    assert all(len(who) == 1 for who in owners.values())
    assert len(owners) > PERSONS * 0.9


WORDS = f"""
[source]
name = "dirty"
title = "旧台账"
department = "rev"
kind = "sql"
code_scheme = "NBS_STAT"

[[dataset]]
name = "entry"
type = "Entry"
title = "旧台账登记"
description = "旧台账中的一行"
object = "Citizen.monitoring"
legal_basis = "MEASURES_ART_4"
update_cycle = "YEARLY"
table = "entries"
person_name = "who"
order = ["line"]
sharing = {{ kind = "CONDITIONAL", condition = "按岗位", basis = "MEASURES_ART_11" }}
key = {{ kind = "identity", columns = ["number"], formats = {list(KEY_FORMATS)} }}
region = {{ kind = "citizen" }}
facet = {{ container = "entries", field = "entries", many = true }}
[[dataset.field]]
name = "line"
title = "行号"
type = "string"
sensitivity = "L2_INTERNAL"
"""


@pytest.mark.anyio
async def test_a_source_of_such_rows_gives_each_person_his_own(
    tmp_path: Path, store_url: str
) -> None:
    """Joined as a facet is: by all spellings that the source's formats allow, and graded."""
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "dirty.toml").write_text(WORDS, encoding="utf-8")
    catalog, lines, known = load(tmp_path / "words"), list(table()), persons()
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE entries (line TEXT, number TEXT, who TEXT)"))
        rows = [{"l": str(n), "n": x.written, "w": x.name} for n, x in enumerate(lines)]
        await connection.execute(text("INSERT INTO entries VALUES (:l, :n, :w)"), rows)
    await engine.dispose()
    spec = catalog.sources["dirty"]
    database = open_database(store_url, statement_s=30)
    guard = Guard(spec.name, deadline_s=30)
    source = SqlSource(spec, database, catalog.divisions, guard=guard, mask=unmasked)
    request = ReadRequest(
        catalog.datasets["entry"], (), (EXTRA + "line",), key="identity", masks={}
    )
    prepared, everybody = source.prepare(request), sorted(known)
    joined: dict[int, tuple[str, str]] = {}
    for at in range(0, PERSONS, 200):
        keys = everybody[at : at + 200]
        found = await source.read(prepared, Call(keys, {}, names=known, limit=1_000))
        for who, sure, _, line in found.rows:
            assert int(line) not in joined
            joined[int(line)] = (who, sure)
    await source.close()
    wanted = {
        n: (x.person, x.sure)
        for n, x in enumerate(lines)
        if x.dirt.fault is None and x.dirt.searched
    }
    assert joined == wanted
    assert len(wanted) == sum(d.searched and d.fault is None for d in DIRT) * ROWS // len(DIRT)
