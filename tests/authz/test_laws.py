"""What no policy may break, shown on policies drawn at random."""

from __future__ import annotations

import operator
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, literal_column, select

from authz.gate import Gate
from authz.lens import CellState, Lens, Mode
from authz.mask import masked
from authz.post import Asker, Post
from authz.roles import expand
from authz.rule import Rule
from authz.scope import NOTHING, Scope
from catalog.datasets import Field
from catalog.grades import Mask
from catalog.load import Catalog
from store.cases import case_file
from store.metadata import metadata
from store.register import citizen, household
from store.words import division
from tests.authz.people import Leaf, columns_of, person
from tests.authz.policies import (
    DAY,
    PARENTS,
    PLACES,
    ROWS,
    admitted,
    book_of,
    random_asker,
    share,
    valid_rule,
)

LAWS = 200  # policies of a daily run, a law
LENSES = 60  # a Lens asks for some ten Scopes
FOR_EVER = "9999-12-31"
CELLS = (
    "Citizen.basic", "Citizen.basic", "Citizen.basic@minor", "Citizen.identity",
    "Citizen.identity@minor", "Citizen.contact", "Citizen.address", "Citizen.*",
)  # fmt: skip
ACTS = ("read", "read", "read", "list", "lookup", "unmask")


def drawn(count: int, law: str) -> Iterator[random.Random]:
    """One source of chance a policy, the same in every run."""
    for number in range(share(count)):
        yield random.Random(f"{law}/{number}")


def policy(rng: random.Random, catalog: Catalog, most: int = 12) -> list[Rule]:
    return [valid_rule(rng, catalog) for _ in range(rng.randint(2, most))]


def scope(catalog: Catalog, rules: Sequence[Rule], who: Asker) -> Scope:
    return book_of(catalog, *rules).scope(who, "Citizen.basic", "read") if rules else NOTHING


# ---- lines -------------------------------------------------------------------------------------


def test_a_deny_never_enlarges_and_an_allow_never_shrinks(catalog: Catalog) -> None:
    moved = {"allow": 0, "deny": 0}
    for rng in drawn(LAWS, "effect"):
        rules, who, extra = policy(rng, catalog), random_asker(rng), valid_rule(rng, catalog)
        aimed = {"role": who.posts[0].role, "object": "Citizen.basic", "dept": "*"}
        extra = replace(extra, **aimed, purpose="*", until=FOR_EVER)
        extra = replace(extra, effect=rng.choice(("allow", "deny")))
        before, after = scope(catalog, rules, who), scope(catalog, [*rules, extra], who)
        larger, smaller = (after, before) if extra.allows else (before, after)
        assert larger.contains(smaller)
        assert admitted(larger) >= admitted(smaller)
        moved[extra.effect] += before != after
    assert min(moved.values()) > share(LAWS) // 20


def test_the_order_of_lines_and_lines_said_twice_do_not_matter(catalog: Catalog) -> None:
    something = 0
    for rng in drawn(LAWS, "order"):
        rules, who = policy(rng, catalog), random_asker(rng)
        shuffled = rng.sample(rules, len(rules)) + rng.choices(rules, k=2)
        found = scope(catalog, rules, who)
        assert scope(catalog, shuffled, who) == found
        something += not found.empty
    assert something > share(LAWS) // 5


def test_denies_alone_and_lines_for_others_give_nothing(catalog: Catalog) -> None:
    for rng in drawn(LAWS // 4, "nothing"):
        rules, who = policy(rng, catalog), random_asker(rng)
        assert scope(catalog, [replace(r, effect="deny") for r in rules], who) == NOTHING
        assert scope(catalog, [replace(r, role="lead") for r in rules], who) == NOTHING


# ---- posts -------------------------------------------------------------------------------------


def test_removing_a_post_takes_what_it_gave_and_lifts_what_it_denied(catalog: Catalog) -> None:
    lost = lifted = 0
    for rng in drawn(LAWS, "posts"):
        rules, who = policy(rng, catalog), random_asker(rng, least=2)
        rules = [*rules, replace(rules[0], effect="deny")]
        gone, *kept = who.posts
        alone = replace(who, posts=(gone,))
        before = admitted(scope(catalog, rules, who))
        after = admitted(scope(catalog, rules, replace(who, posts=tuple(kept))))
        gave = admitted(scope(catalog, [r for r in rules if r.allows], alone))
        denies = [replace(r, effect="allow") for r in rules if not r.allows]
        assert before - after <= gave
        assert after - before <= admitted(scope(catalog, denies, alone))
        lost, lifted = lost + (before > after), lifted + bool(after - before)
    assert lost > share(LAWS) // 20
    assert lifted > 0


def test_the_order_of_posts_does_not_matter(catalog: Catalog) -> None:
    for rng in drawn(LAWS // 4, "order of posts"):
        rules, who = policy(rng, catalog), random_asker(rng, least=2)
        turned = replace(who, posts=who.posts[::-1])
        assert scope(catalog, rules, turned) == scope(catalog, rules, who)


def test_a_post_further_down_the_tree_sees_no_more(catalog: Catalog) -> None:
    """For lines that reach from the base downwards and denies that do not move with it."""
    fewer = 0
    for rng in drawn(LAWS, "region"):
        rules = [_downwards(rule, rng) for rule in policy(rng, catalog)]
        low = rng.choice([place for place in PLACES if len(place) > 6])
        high = rng.choice([place for place in PLACES if low.startswith(place)])
        role = rng.choice(("helper", "dept"))
        found = [
            scope(catalog, rules, Asker("x", "official", (_based(role, at),), "aid.file", DAY))
            for at in (high, low)
        ]
        assert found[0].contains(found[1])
        fewer += found[0] != found[1]
    assert fewer > share(LAWS) // 20


def _downwards(rule: Rule, rng: random.Random) -> Rule:
    if rule.allows and rule.reach == "here":
        return replace(rule, reach="subtree")
    if not rule.allows and rule.reach in ("here", "subtree"):
        return replace(rule, reach=rng.choice(("county", rng.choice(PLACES))))
    return rule


def _based(role: str, base: str) -> Post:
    return Post("mca", role, base, expand(role, PARENTS))


# ---- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_days_only_take_rights_away_and_only_lift_denies(catalog: Catalog, effect: str) -> None:
    """With lines of one effect that end and lines of the other that do not."""
    changed, days = 0, [DAY + timedelta(days=n) for n in range(-1, 3)]
    for rng in drawn(LAWS, f"time/{effect}"):
        rules, who = policy(rng, catalog), random_asker(rng)
        ends = [(DAY + timedelta(days=rng.randint(-1, 2))).isoformat() for _ in rules]
        rules = [
            replace(r, until=end if r.effect == effect else FOR_EVER)
            for r, end in zip(rules, ends, strict=True)
        ]
        found = [scope(catalog, rules, replace(who, day=day)) for day in days]
        for early, late in pairwise(found):
            assert early.contains(late) if effect == "allow" else late.contains(early)
            changed += early != late
    assert changed > share(LAWS) // 40


def test_a_line_holds_through_its_last_day(catalog: Catalog) -> None:
    for rng in drawn(LAWS // 4, "last day"):
        rules, who = policy(rng, catalog), random_asker(rng)
        ended = [replace(r, until=DAY.isoformat()) for r in rules]
        endless = [replace(r, until=FOR_EVER) for r in rules]
        assert scope(catalog, ended, who) == scope(catalog, endless, who)
        assert scope(catalog, ended, replace(who, day=DAY + timedelta(days=1))) == NOTHING


# ---- Lenses ------------------------------------------------------------------------------------


def lens_policy(rng: random.Random, catalog: Catalog, who: Asker) -> list[Rule]:
    """Lines on a citizen's groups, most of them for the first post."""
    rules = [
        valid_rule(rng, catalog, CELLS, ACTS) for _ in range(rng.randint(8, 24))
    ]  # each still has its own reach, owner, purpose and end
    mine = who.posts[0].role
    return [replace(r, role=mine, owner="any") if rng.random() < 0.6 else r for r in rules]


def gates(catalog: Catalog, law: str, count: int = LENSES) -> Iterator[tuple[Gate, random.Random]]:
    for rng in drawn(count, law):
        who = random_asker(rng)
        if rng.random() < 0.5:  # or nobody would see anything in clear for reviewing
            who = replace(who, case_no="X", bound="h1")
        yield Gate(book_of(catalog, *lens_policy(rng, catalog, who)), who, catalog), rng


def test_what_may_be_listed_or_looked_up_may_be_read(catalog: Catalog) -> None:
    dataset, fewer = catalog.datasets["citizen"], 0
    for gate, _ in gates(catalog, "modes"):
        read = gate.lens(dataset, Mode.KEY)
        for other in (
            gate.lens(dataset, Mode.LIST),
            gate.lens(dataset, Mode.LOOKUP, "idNumber"),
        ):
            assert read.rows.contains(other.rows)
            fewer += read.rows != other.rows
            for name, rule in other.cells.items():
                assert read.cell(name).see.contains(rule.see)
                assert read.cell(name).clear.contains(rule.clear)
    assert fewer > share(LENSES) // 4


def test_what_may_be_exported_may_be_listed(catalog: Catalog) -> None:
    """KEY ⊇ LIST ⊇ EXPORT, rows and cells, and a cell needs the group's own right to leave."""
    dataset, fewer, held = catalog.datasets["citizen"], 0, 0
    for rng in drawn(LENSES, "export"):
        who = random_asker(rng)
        mine, wide = who.posts[0].role, ("subtree", "any", "*", FOR_EVER, "allow", "x")
        rules = [Rule(mine, "*", "Citizen.basic", act, *wide) for act in ("read", "list")]
        rules += [
            replace(valid_rule(rng, catalog, CELLS, ("read", "export", "unmask")), role=mine)
            for _ in range(12)
        ]
        gate = Gate(book_of(catalog, *rules), who, catalog)
        listed, file = gate.lens(dataset, Mode.LIST), gate.lens(dataset, Mode.EXPORT)
        assert listed.rows.contains(file.rows)
        fewer += listed.rows != file.rows
        for field in dataset.fields:
            rule = file.cell(field.name)
            office = catalog.objects[field.object].provider
            leave = gate.scope(field.object, "export").for_owner(office)
            assert listed.cell(field.name).see.contains(rule.see)
            assert listed.cell(field.name).clear.contains(rule.clear)
            assert leave.contains(rule.see)
            held += not rule.see.empty
    assert fewer > share(LENSES) // 4
    assert held > 0


def test_a_cell_is_clear_only_where_seen_and_seen_only_where_the_row_is(catalog: Catalog) -> None:
    dataset, states = catalog.datasets["citizen"], dict.fromkeys(CellState, 0)
    for gate, _ in gates(catalog, "cells"):
        lens = gate.lens(dataset, Mode.KEY)
        for rule in lens.cells.values():
            assert lens.rows.contains(rule.see)
            assert rule.see.contains(rule.clear)
            states[rule.state] += 1
    assert min(states.values()) > 0


def state_of(gate: Gate, field: Field, place: str, minor: bool) -> str:
    """CLEAR, MASKED or HIDDEN: one cell of an admitted row, by Scopes alone."""
    office, who = gate._catalog.objects[field.object].provider, gate.asker
    if not gate.book.scope(who, field.object, "read").admits(place, office, minor):
        return "HIDDEN"
    if field.mask is Mask.NONE:
        return "CLEAR"
    opened = who.purpose == "aid.file" or who.bound is not None
    unmask = gate.book.scope(who, field.object, "unmask")
    return "CLEAR" if opened and unmask.admits(place, office, minor) else "MASKED"


def test_a_column_has_the_state_its_cells_have(catalog: Catalog) -> None:
    """CLEAR, MASKED and HIDDEN where all admitted rows agree, row by row; else MIXED."""
    dataset = catalog.datasets["citizen"]
    met = dict.fromkeys(CellState, 0)
    for gate, _ in gates(catalog, "states"):
        lens = gate.lens(dataset, Mode.KEY)
        places = {(p, minor) for p, _, minor in ROWS if lens.rows.admits(p, None, minor)}
        for field in dataset.fields:
            cells = {state_of(gate, field, *at) for at in places}
            state = lens.cell(field.name).state
            met[state] += 1
            if len(cells) > 1:
                assert state is CellState.MIXED
            elif cells and state is not CellState.MIXED:  # other places may differ from these
                assert cells == {state.value}
    assert min(met.values()) > 0


PEOPLE = [
    person(
        f"p{n}{'child' if minor else ''}",
        f"李{n}",
        f"53992219{n:010d}",
        date(2020, 1, 1) if minor else date(1960, 1, 1),
        None if n % 3 == 0 else f"120{n:08d}",
        place,
        household,
    )
    | {"birth_band": None if n % 3 == 0 else "1960–1969"}
    for n, place in enumerate(PLACES)
    for minor in (False, True)
    for household in (f"h{n % 3}",)
]


@pytest.fixture(scope="module")
def conn() -> Iterator[Connection]:
    """The register of these people, with the names of some places."""
    engine = create_engine("sqlite://")
    names = ("household", "citizen", "division")
    with engine.connect() as connection:
        metadata.create_all(connection, [metadata.tables[n] for n in names])
        connection.execute(insert(citizen), PEOPLE)
        connection.execute(insert(division), [
            {"path": path, "code": path.ljust(12, "0"), "name": name, "level": "X"}
            for path, name in NAMED.items()
        ])  # fmt: skip
        assert len(connection.execute(select(citizen.c.id)).all()) == 2 * len(PLACES)
        yield connection
    engine.dispose()


NAMED = {"532622205": "者腊乡", "532622205203": "夸溪村委会", "532622": "砚山县"}
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "prefix": lambda text, start: str(text).startswith(start),
    "is_null": lambda _value, _: False,
    "not_null": lambda _value, _: True,
}
"""What an operator says of a value that is there; of one that is not, only `is_null` is true."""


def shown(field: Field, state: str, row: dict[str, Any]) -> Any:
    """What is read of a cell in a state."""
    if state == "HIDDEN":
        return None
    value = row[field.column]
    return value if state == "CLEAR" else masked(field.mask, value, NAMED.get(row["region_path"]))


def holds(leaf: Leaf, state: str, value: Any, given: Any) -> bool:
    """Is a row found by a condition on a cell? Of what is not clear nothing can be asked."""
    if state != "CLEAR":
        return False
    if value is None:
        return leaf.op == "is_null"
    return COMPARED[leaf.op](value, given)


def test_a_statement_shows_each_cell_in_its_state_and_finds_rows_by_clear_cells(
    catalog: Catalog, conn: Connection
) -> None:
    """Cell by cell against Scopes: values, letters of mixed columns, and a condition at random."""
    dataset = catalog.datasets["citizen"]
    letters, cells, found_by = Counter[str](), Counter[str](), Counter[str]()
    for number, (gate, rng) in enumerate(gates(catalog, "statements", LENSES * 6)):
        lens, who = gate.lens(dataset, Mode.KEY), gate.asker
        columns = [f for f in dataset.fields if lens.cell(f.name).state is not CellState.HIDDEN]
        told = lens.letters(f.name for f in columns)
        plain = [f for f in dataset.fields if f.mask is Mask.NONE]
        field = rng.choice(plain if number % 2 else dataset.fields)
        op = list(COMPARED)[number % len(COMPARED)]
        if op == "is_null":
            field = dataset.by_name["birthBand"]  # clear wherever the row is
        if op == "prefix" and field.name == "birthDate":
            op = "eq"
        given = rng.choice([p[field.column] for p in PEOPLE if p[field.column] is not None])
        leaf = Leaf(field.name, op, "v")
        names = [*(f.name for f in columns), *dict.fromkeys(told.values())]
        names += ["citizen_uid", "__minor"]
        where = [leaf] if rng.random() < 0.7 else []
        statement = lens.source(columns_of(dataset, citizen), names, where, "r")
        rows = conn.execute(statement, lens.binds("r") | {"v": given}).all()
        expected = []
        for row in PEOPLE:
            place, minor = row["region_path"], is_child(row)
            if not gate.book.scope(who, "Citizen.basic", "read").admits(place, "rev", minor):
                continue
            if who.bound is not None and row["household_id"] != who.bound:
                continue
            states = {f.name: state_of(gate, f, place, minor) for f in dataset.fields}
            if where and not holds(leaf, states[field.name], row[field.column], given):
                continue
            by_letter = {letter: states[name][0] for name, letter in told.items()}
            values = [shown(f, states[f.name], row) for f in columns]
            expected.append((*values, *by_letter.values(), row["citizen_uid"], int(minor)))
            letters.update(by_letter.values())
            cells.update(states.values())
            found_by[op] += bool(where)
        assert sorted(map(repr, map(tuple, rows))) == sorted(map(repr, expected))
    assert min(letters[x] for x in "CMH") > 0
    assert min(cells.values()) > 0
    assert {op: found_by[op] for op in COMPARED if found_by[op] == 0} == {}


def is_child(row: dict[str, Any]) -> bool:
    born = row["birth"]
    return born is None or born > date(2012, 11, 1)


def test_equal_patterns_are_one_text(catalog: Catalog) -> None:
    """What shares a Plan shares its statement: Scopes and Lenses drawn at random."""
    texts: dict[tuple[object, ...], str] = {}
    shared = 0
    for rng in drawn(LAWS, "patterns of scopes"):
        found = scope(catalog, policy(rng, catalog), random_asker(rng))
        where = found.where(citizen.c.region_path, citizen.c.name, literal_column("1"), "s")
        text = str(where)
        shared += found.pattern in texts
        assert texts.setdefault(found.pattern, text) == text
        assert set(where.compile().params) <= set(found.binds("s"))
    assert len(texts) > LAWS // 4  # there are some three hundred, however many are drawn
    assert shared > share(LAWS) // 20


def test_lenses_of_equal_patterns_are_one_text(catalog: Catalog) -> None:
    tables = {"citizen": citizen, "case": case_file, "household": household}
    texts: dict[tuple[object, ...], str] = {}
    made = 0
    for gate, _ in gates(catalog, "patterns of lenses"):
        for bound in (None, "h1"):
            who = replace(gate.asker, case_no="X" if bound else None, bound=bound)
            one = Gate(gate.book, who, catalog)
            for name, table in tables.items():
                for mode in (Mode.KEY, Mode.LIST):
                    lens = one.lens(catalog.datasets[name], mode)
                    cells = lens.cells.items()
                    columns = [n for n, c in cells if c.state is not CellState.HIDDEN]
                    columns += dict.fromkeys(lens.letters(columns).values())
                    raw = columns_of(lens.dataset, table)
                    leaves = [Leaf(n, "eq", "v") for n in lens.cells]
                    statement = lens.source(raw, columns or ["region_path"], leaves, "r")
                    text = f"{name} {mode} {statement} {columns}"
                    assert texts.setdefault(lens.pattern, text) == text
                    made += 1
    assert len(texts) < made


def seen(conn: Connection, lens: Lens) -> dict[str, tuple[Any, ...]]:
    """Every row by its id, with all columns that are not hidden and their letters."""
    shown = [n for n, rule in lens.cells.items() if rule.state is not CellState.HIDDEN]
    if not shown:
        return {}
    names = ["id", *shown, *dict.fromkeys(lens.letters(shown).values())]
    raw = columns_of(lens.dataset, citizen)
    statement = lens.source(raw, list(dict.fromkeys(names)), [], "r")
    rows = conn.execute(statement, lens.binds("r"))
    return {row[0]: tuple(row) for row in rows}


def test_a_case_number_only_narrows(catalog: Catalog, conn: Connection) -> None:
    """Bound to a household the same rows are seen, less those of all other households."""
    dataset, homes = catalog.datasets["citizen"], {p["id"]: p["household_id"] for p in PEOPLE}
    fewer = 0
    for gate, _ in gates(catalog, "binding"):
        # Under this purpose nothing needs a case, so that a case can only take away.
        free = replace(gate.asker, purpose="aid.file", case_no=None, bound=None)
        bound = replace(free, case_no="X", bound="h1")
        whole, part = (
            seen(conn, Gate(gate.book, who, catalog).lens(dataset, Mode.KEY))
            for who in (free, bound)
        )
        assert part == {key: row for key, row in whole.items() if homes[key] == "h1"}
        fewer += len(part) < len(whole)
    assert fewer > share(LENSES) // 4
